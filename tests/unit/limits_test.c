#include "test.h"

#include "directory/limits.h"

#include "directory/schema.h"
#include "place.h"

#include <stdlib.h>

static struct {
    struct place place;
    char path[256], error[512];
    struct tables *tables;
    struct directory directory;
} world;

static void open_world(void)
{
    world.tables = tables_open(world.path, world.error, sizeof world.error);
    if (world.tables == NULL || !directory_open_sql(&world.directory, world.path, world.error, sizeof world.error)) {
        fprintf(stderr, "%s\n", world.error);
        exit(1);
    }
}

static void close_world(void)
{
    directory_close(&world.directory);
    tables_close(&world.tables);
}

static void setup(void)
{
    place_open(&world.place);
    snprintf(world.path, sizeof world.path, "%s", place_path(&world.place, "tmail.db"));
    open_world();
}

static void teardown(void)
{
    close_world();
    place_close(&world.place);
}

static bool sql(const char *text)
{
    return db_run(tables_db(world.tables), text);
}

static struct status add(enum limit_kind kind, const char *name, int64_t port, const char *rate)
{
    return limits_add(world.tables, &(struct limit_row){.kind = kind, .name = str_of(name), .port = port, .rate = str_of(rate)});
}

static struct status del(enum limit_kind kind, const char *name, int64_t port)
{
    return limits_del(world.tables, &(struct limit_row){.kind = kind, .name = str_of(name), .port = port});
}

static void check_ok(struct status s, const char *what)
{
    if (!check(status_is_ok(&s)))
        printf("# %s: %s\n", what, s.text);
}

static void check_refused(struct status s, const char *part)
{
    check_number(s.code, 550);
    check_has(s.text, part);
}

/* RATE is what the directory says, "none" for no limit, NULL for no row. */
static void check_limit(enum limit_kind kind, const char *name, int port, const char *rate)
{
    struct rate found = {-1, -1};
    char text[RATE_TEXT_SIZE];
    enum answer answer = world.directory.limit(world.directory.self, &(struct limit_question){kind, str_of(name), port}, &found);

    if (!check_number(answer, rate != NULL ? ANSWER_YES : ANSWER_NO))
        printf("#   %s:%d\n", name, port);
    rate_text(&found, text);
    check_text(found.count > 0 ? text : "none", rate != NULL ? rate : "none");
}

static void hops_and_domains_have_their_own(void)
{
    setup();
    check_limit(LIMIT_DOMAIN, "example.com", 0, NULL);
    check_ok(add(LIMIT_DOMAIN, "example.com", 0, "100/minute"), "domain");
    check_ok(add(LIMIT_HOP, "mail.example", 0, "5/s"), "hop");
    check_limit(LIMIT_DOMAIN, "example.com", 0, "100/minute");
    check_limit(LIMIT_HOP, "mail.example", 25, "5/second");
    check_limit(LIMIT_HOP, "example.com", 25, NULL);
    check_limit(LIMIT_DOMAIN, "mail.example", 0, NULL);
    check_limit(LIMIT_DOMAIN, "sub.example.com", 0, NULL);
    check_limit(LIMIT_DOMAIN, "example.co", 0, NULL);
    check_ok(add(LIMIT_DOMAIN, "free.example", 0, "none"), "none");
    check_limit(LIMIT_DOMAIN, "free.example", 0, "none");
    check_ok(del(LIMIT_DOMAIN, "example.com", 0), "del");
    check_limit(LIMIT_DOMAIN, "example.com", 0, NULL);
    check_refused(del(LIMIT_DOMAIN, "example.com", 0), "no limit for the domain example.com (see tmail limit list)");
    check_refused(del(LIMIT_DOMAIN, "mail.example", 0), "mail.example");
    teardown();
}

static void add_takes_the_place_of_what_was_there(void)
{
    setup();
    check_ok(add(LIMIT_DOMAIN, "example.com", 0, "1/hour"), "first");
    check_ok(add(LIMIT_DOMAIN, "example.com", 0, "10/second"), "second");
    check_limit(LIMIT_DOMAIN, "example.com", 0, "10/second");
    check_ok(del(LIMIT_DOMAIN, "example.com", 0), "del");
    check_limit(LIMIT_DOMAIN, "example.com", 0, NULL);
    teardown();
}

static void a_row_with_a_port_comes_first(void)
{
    setup();
    check_ok(add(LIMIT_HOP, "mail.example", 587, "1/hour"), "port");
    check_limit(LIMIT_HOP, "mail.example", 25, NULL);
    check_ok(add(LIMIT_HOP, "mail.example", 0, "2/hour"), "all");
    check_limit(LIMIT_HOP, "mail.example", 587, "1/hour");
    check_limit(LIMIT_HOP, "mail.example", 25, "2/hour");
    check_refused(del(LIMIT_HOP, "mail.example", 25), "mail.example and port 25");
    check_ok(del(LIMIT_HOP, "mail.example", 0), "del");
    check_limit(LIMIT_HOP, "mail.example", 587, "1/hour");
    check_limit(LIMIT_HOP, "mail.example", 25, NULL);
    teardown();
}

static void names_are_stored_in_normal_form(void)
{
    setup();
    check_ok(add(LIMIT_DOMAIN, "B\xc3\xbc" "cher.Example.", 0, "1/hour"), "IDN");
    check_limit(LIMIT_DOMAIN, "xn--bcher-kva.example", 0, "1/hour");
    check_ok(add(LIMIT_HOP, "MAIL.Example.", 0, "2/hour"), "case");
    check_limit(LIMIT_HOP, "mail.example", 25, "2/hour");
    check_ok(add(LIMIT_HOP, "[2001:DB8:0::1]", 0, "3/hour"), "IPv6");
    check_limit(LIMIT_HOP, "2001:db8::1", 25, "3/hour");
    check_ok(del(LIMIT_HOP, "2001:db8::1", 0), "del");
    check_ok(add(LIMIT_DOMAIN, "[192.0.2.1]", 0, "4/hour"), "literal");
    check_limit(LIMIT_DOMAIN, "[192.0.2.1]", 0, "4/hour");
    teardown();
}

static void what_is_wrong_is_named(void)
{
    static const char *const rates[] = {"", "0/second", "10", "10/day", "x", "1000001/hour", "none/hour", "unlimited"};

    setup();
    for (size_t i = 0; i < TEST_COUNT(rates); i++)
        check_refused(add(LIMIT_DOMAIN, "example.com", 0, rates[i]), "no rate (expected such as 10/second, 100/minute or 1000/hour");
    check_refused(add(LIMIT_DOMAIN, "two words", 0, "1/hour"), "\"two words\" is no domain");
    check_refused(add(LIMIT_DOMAIN, "*", 0, "1/hour"), "\"*\" is no domain");
    check_refused(add(LIMIT_DOMAIN, "", 0, "1/hour"), "\"\" is no domain");
    check_refused(add(LIMIT_DOMAIN, "example.com", 25, "1/hour"), "port");
    check_refused(add(LIMIT_HOP, "two words", 0, "1/hour"), "\"two words\" is no host");
    check_refused(add(LIMIT_HOP, "192.0.2.256", 0, "1/hour"), "\"192.0.2.256\" is no host");
    check_refused(add(LIMIT_HOP, "MX", 0, "1/hour"), "mx is no host");
    check_refused(add(LIMIT_HOP, "mail.example", 65536, "1/hour"), "65536");
    check_refused(del(LIMIT_HOP, "two words", 0), "\"two words\" is no host");
    check_ok(limits_list(world.tables, NULL, NULL), "an empty list");
    teardown();
}

static void note(void *context, const struct limit_row *r)
{
    buf_print(context, "%s %.*s %lld %.*s\n", limit_kind_name(r->kind), STR_ARG(r->name), (long long)r->port, STR_ARG(r->rate));
}

static void they_are_listed_in_order(void)
{
    struct buf listed = {0};

    setup();
    check_ok(add(LIMIT_HOP, "b.example", 587, "1/second"), "1");
    check_ok(add(LIMIT_HOP, "b.example", 0, "2/minute"), "2");
    check_ok(add(LIMIT_DOMAIN, "z.example", 0, "none"), "3");
    check_ok(add(LIMIT_DOMAIN, "a.example", 0, "3/hour"), "4");
    check_ok(limits_list(world.tables, note, &listed), "list");
    check_text(buf_text(&listed),
               "domain a.example 0 3/hour\ndomain z.example 0 none\nhop b.example 0 2/minute\nhop b.example 587 1/second\n");
    buf_done(&listed);
    teardown();
}

/* What no command writes cannot be there, whoever wrote it. */
static void rows_make_sense(void)
{
    setup();
    check(!sql("INSERT INTO limits (kind, name, messages, per_ms) VALUES ('hop', 'a.example', -1, 1000)"));
    check(!sql("INSERT INTO limits (kind, name, messages, per_ms) VALUES ('hop', 'a.example', 1, 0)"));
    check(!sql("INSERT INTO limits (kind, name, messages, per_ms) VALUES ('host', 'a.example', 1, 1000)"));
    check(sql("INSERT INTO limits (kind, name, messages, per_ms) VALUES ('hop', 'a.example', 1, 1000)"));
    check(!sql("INSERT INTO limits (kind, name, messages, per_ms) VALUES ('hop', 'a.example', 2, 1000)"));
    check_limit(LIMIT_HOP, "a.example", 25, "1/second");
    teardown();
}

static void a_database_of_version_3_gets_the_table(void)
{
    setup();
    check(sql("INSERT INTO rcpt_hosts (hostname) VALUES ('kept.example')"));
    check(sql("DROP TABLE limits") && sql("PRAGMA user_version=3"));
    close_world();
    open_world();
    check_ok(add(LIMIT_DOMAIN, "example.com", 0, "1/hour"), "add");
    check_limit(LIMIT_DOMAIN, "example.com", 0, "1/hour");
    check_number(world.directory.rcpthost(world.directory.self, STR("kept.example"), &(struct rcpthost){0}), ANSWER_YES);
    teardown();
}

static void what_cannot_be_read_is_a_failure(void)
{
    const struct limit_question question = {LIMIT_HOP, STR("a.example"), 25};
    struct rate rate = {-1, -1};

    setup();
    check(sql("ALTER TABLE limits RENAME TO gone"));
    check_number(world.directory.limit(world.directory.self, &question, &rate), ANSWER_FAILED);
    check_number(rate.count, 0);
    teardown();
}

static const struct test_case cases[] = {
    TEST_CASE(hops_and_domains_have_their_own),
    TEST_CASE(add_takes_the_place_of_what_was_there),
    TEST_CASE(a_row_with_a_port_comes_first),
    TEST_CASE(names_are_stored_in_normal_form),
    TEST_CASE(what_is_wrong_is_named),
    TEST_CASE(they_are_listed_in_order),
    TEST_CASE(rows_make_sense),
    TEST_CASE(a_database_of_version_3_gets_the_table),
    TEST_CASE(what_cannot_be_read_is_a_failure),
};

int main(int argc, char **argv)
{
    return test_main(cases, TEST_COUNT(cases), argc, argv);
}

#include "test.h"

#include "directory/sts_policies.h"

#include "place.h"

static struct {
    struct place place;
    struct tables *tables;
    struct arena arena;
} world;

static void setup(void)
{
    char path[256], error[512];

    place_open(&world.place);
    snprintf(path, sizeof path, "%s", place_path(&world.place, "tmail.db"));
    world.tables = tables_open(path, error, sizeof error);
    if (world.tables == NULL) {
        fprintf(stderr, "%s\n", error);
        exit(1);
    }
    arena_init(&world.arena);
}

static void teardown(void)
{
    arena_done(&world.arena);
    tables_close(&world.tables);
    place_close(&world.place);
}

static void check_ok(struct status s)
{
    if (!check(status_is_ok(&s)))
        printf("# %s\n", s.text);
}

static void store(const char *domain, const char *id, struct str policy, int64_t fetched, int64_t expires)
{
    const struct sts_row row = {.id = id, .policy = policy, .fetched = fetched, .expires = expires};

    check_ok(sts_policies_store(world.tables, str_of(domain), &row));
}

static enum answer find(const char *domain, int64_t now, struct sts_row *row)
{
    return sts_policies_find(world.tables, str_of(domain), now, &world.arena, row);
}

static int64_t count(void)
{
    struct db_query *q = tables_query(world.tables, "SELECT count(*) FROM sts_policies");
    int64_t rows = q != NULL && db_step(q) ? db_int(q, 0) : -1;

    return q != NULL && db_finish(q) ? rows : -1;
}

static void what_was_stored_is_found(void)
{
    struct str text = STR("version: STSv1\r\nmode: enforce\r\nx: '\xc3\xa4\";--\r\n");
    struct sts_row row;

    setup();
    check_number(find("a.example", 100, &row), ANSWER_NO);
    store("a.example", "Id1", text, 100, 200);
    if (check_number(find("a.example", 100, &row), ANSWER_YES)) {
        check_text(row.id, "Id1");
        check_str(row.policy, text);
        check_number(row.fetched, 100);
        check_number(row.expires, 200);
    }
    check_number(find("b.example", 100, &row), ANSWER_NO);
    check_number(find("%.example", 100, &row), ANSWER_NO);
    check_number(find("x.a.example", 100, &row), ANSWER_NO);
    teardown();
}

static void the_last_one_takes_the_place(void)
{
    struct sts_row row;

    setup();
    store("a.example", "1", STR("one"), 100, 200);
    store("b.example", "1", STR("other"), 100, 200);
    store("a.example", "2", STR("two"), 50, 60);
    check_number(count(), 2);
    if (check_number(find("a.example", 55, &row), ANSWER_YES)) {
        check_text(row.id, "2");
        check_str(row.policy, STR("two"));
        check_number(row.fetched, 50);
        check_number(row.expires, 60);
    }
    check_number(find("a.example", 100, &row), ANSWER_NO);
    teardown();
}

static void an_expired_one_is_none(void)
{
    struct sts_row row;

    setup();
    store("a.example", "1", STR("one"), 100, 200);
    check_number(find("a.example", 199, &row), ANSWER_YES);
    check_number(find("a.example", 200, &row), ANSWER_NO);
    check_number(find("a.example", INT64_MAX, &row), ANSWER_NO);
    check_number(count(), 1);
    teardown();
}

static void tidying_deletes_what_has_expired(void)
{
    struct sts_row row;

    setup();
    store("a.example", "1", STR("one"), 100, 200);
    store("b.example", "1", STR("one"), 100, 201);
    store("c.example", "1", STR("one"), 100, 10000);
    check_ok(sts_policies_tidy(world.tables, 200));
    check_number(count(), 2);
    check_number(find("b.example", 200, &row), ANSWER_YES);
    check_ok(sts_policies_tidy(world.tables, 201));
    check_number(count(), 1);
    check_number(find("c.example", 200, &row), ANSWER_YES);
    teardown();
}

static void only_an_expired_one_is_forgotten(void)
{
    setup();
    store("a.example", "1", STR("one"), 100, 200);
    store("b.example", "1", STR("one"), 100, 200);
    check_number(sts_policies_forget(world.tables, STR("a.example"), 199), ANSWER_NO);
    check_number(sts_policies_forget(world.tables, STR("c.example"), 999), ANSWER_NO);
    check_number(count(), 2);
    check_number(sts_policies_forget(world.tables, STR("a.example"), 200), ANSWER_YES);
    check_number(sts_policies_forget(world.tables, STR("a.example"), 200), ANSWER_NO);
    check_number(count(), 1);
    teardown();
}

static void a_failed_lookup_is_no_answer(void)
{
    const struct sts_row row = {.id = "1", .policy = STR("one")};
    struct sts_row found;
    struct status s;

    setup();
    check(db_run(tables_db(world.tables), "DROP TABLE sts_policies"));
    check_number(find("a.example", 0, &found), ANSWER_FAILED);
    check_number(sts_policies_forget(world.tables, STR("a.example"), 0), ANSWER_FAILED);
    s = sts_policies_store(world.tables, STR("a.example"), &row);
    check_number(s.code, 451);
    s = sts_policies_tidy(world.tables, 0);
    check_number(s.code, 451);
    teardown();
}

static const struct test_case cases[] = {
    TEST_CASE(what_was_stored_is_found),
    TEST_CASE(the_last_one_takes_the_place),
    TEST_CASE(an_expired_one_is_none),
    TEST_CASE(tidying_deletes_what_has_expired),
    TEST_CASE(only_an_expired_one_is_forgotten),
    TEST_CASE(a_failed_lookup_is_no_answer),
};

int main(int argc, char **argv)
{
    return test_main(cases, TEST_COUNT(cases), argc, argv);
}

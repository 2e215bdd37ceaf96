#include "test.h"

#include "directory/aliases.h"

#include "place.h"

#include "directory/rcpthosts.h"
#include "directory/users.h"

#include <stdlib.h>
#include <sys/stat.h>

static struct {
    struct place place;
    char path[256], error[512];
    struct tables *tables;
} world;

static void check_ok(struct status s, const char *what)
{
    if (!check(status_is_ok(&s)))
        printf("# %s: %s\n", what, s.text);
}

static struct status add_user(const char *login, bool mailbox)
{
    return users_add(world.tables,
                     &(struct new_user){.login = str_of(login), .password = STR("secret"), .mailbox = mailbox, .home_base = STR("/x")});
}

/* own.example is local and has a mailbox, far.example is remote. */
static void setup(void)
{
    place_open(&world.place);
    snprintf(world.path, sizeof world.path, "%s", place_path(&world.place, "tmail.db"));
    world.tables = tables_open(world.path, world.error, sizeof world.error);
    if (world.tables == NULL) {
        fprintf(stderr, "%s\n", world.error);
        exit(1);
    }
    check_ok(add_user("box@own.example", true), "user");
    check_ok(rcpthosts_add(world.tables, STR("far.example"), false), "remote");
}

static void teardown(void)
{
    tables_close(&world.tables);
    place_close(&world.place);
}

static void sql(const char *text)
{
    if (!check(db_run(tables_db(world.tables), text)))
        printf("# %s: %s\n", text, db_error(tables_db(world.tables)));
}

static int64_t number_of(const char *text)
{
    struct db_query *q = tables_query(world.tables, text);
    int64_t number = -1;

    if (q != NULL && db_step(q))
        number = db_int(q, 0);
    if (q != NULL)
        db_finish(q);
    return number;
}

static struct status add(const char *alias, const char *deliver_to, const char *command, bool is_list)
{
    return aliases_add(world.tables, &(struct new_alias){.alias = str_of(alias),
                                                         .deliver_to = str_of(deliver_to),
                                                         .command = str_of(command),
                                                         .is_list = is_list,
                                                         .delimiter = '+'});
}

/* PART stands in the reason, and nothing has changed. */
static void check_refused(struct status s, const char *part)
{
    check_number(s.code, 550);
    check_has(s.text, part);
    check(!db_in_transaction(tables_db(world.tables)));
}

static void print_row(void *context, const struct alias_row *r)
{
    buf_print(context, "%.*s:%.*s:%.*s%s%s\n", STR_ARG(r->alias), STR_ARG(r->deliver_to), STR_ARG(r->pipe), r->is_domain ? ":domain" : "",
              r->is_mini_list ? ":list" : "");
}

static void check_rows(const char *expected)
{
    struct buf text = {0};

    check_ok(aliases_list(world.tables, print_row, &text), "list");
    check_text(buf_text(&text), expected);
    buf_done(&text);
}

static void rows_are_as_typed_but_their_names(void)
{
    setup();
    check_ok(add("Sales@OWN.example", " Box@own.example;;X@else.example  y@own.example ", NULL, false), "sales");
    check_ok(add("run@own.example", NULL, "sh -c 'a;  b'", false), "run");
    check_ok(add("both@own.example", "x@far.example", "/bin/sh", false), "both");
    check_ok(add("list@own.example", "x@far.example", NULL, true), "list");
    check_ok(add("\"a list\"@own.example", "x@far.example", "cat", true), "quoted");
    check_ok(add("Alias.Example", " OWN.example ", NULL, false), "domain");
    check_rows("\"a list\"@own.example:x@far.example:cat:list\n"
               "alias.example:own.example::domain\n"
               "both@own.example:x@far.example:/bin/sh\n"
               "list@own.example:x@far.example::list\n"
               "run@own.example::sh -c 'a;  b'\n"
               "sales@own.example:Box@own.example;X@else.example;y@own.example:\n");
    check_number(number_of("SELECT is_local AND is_alias FROM rcpt_hosts WHERE hostname = 'alias.example'"), 1);
    teardown();
}

static void refusals_change_nothing(void)
{
    static const struct {
        const char *alias, *deliver_to, *command;
        bool is_list;
        const char *part;
    } table[] = {
        {"x@own.example", "", NULL, false, "are needed"},
        {"x@own.example", " ; ", NULL, false, "are needed"},
        {"x@own.example", "", "true", true, "a mini-list needs addresses"},
        {"x@own.example", "bob", NULL, false, "\"bob\" is no address"},
        {"x@own.example", "own.example", NULL, false, "is no address"},
        {"x@own.example", "a@b.example;bo b@c.example", NULL, false, "\"bo\" is no address"},
        {"x@own.example", "a@b.example\r\nc@d.example", NULL, false, "is no address"},
        {"sales@own.example", "x@far.example", NULL, false, "alias sales@own.example already exists"},
        {"SALES@own.example", "x@far.example", NULL, false, "already exists"},
        {"BOX@own.example", "x@far.example", NULL, false, "is an existing user"},
        {"box@own.example", "box@own.example;x@far.example", NULL, false, "is an existing user"},
        {"x@far.example", "x@own.example", NULL, false, "must be a local one, far.example is not"},
        {"x@alias.example", "x@own.example", NULL, false, "alias.example is an alias itself"},
        {"x@none.example", "x@own.example", NULL, false, "is not handled by tmail"},
        {"x@y@own.example", "x@own.example", NULL, false, "neither an address nor a domain"},
        {"two words", "x@own.example", NULL, false, "neither an address nor a domain"},
        {"../x@own.example", "x@own.example", NULL, false, "neither"},
        {"x\n@own.example", "x@own.example", NULL, false, "neither"},
        {"x@own.example", NULL, "sh -c 'x", false, "a quote is not closed"},
        {"x@own.example", NULL, "  ", false, "cannot be read"},
        {"x@own.example", NULL, "sh\nrm", false, "control character"},
        {"x@own.example", NULL, "no-such-program-of-tmail -x", false, "there is no such program in /usr/local/bin, /usr/bin or /bin"},
        {"x@own.example", NULL, "/no/such/program", false, "No such file"},
        {"x@own.example", NULL, "/etc/passwd", false, "/etc/passwd cannot be run"},
        {"x@own.example", NULL, "/usr/bin", false, "/usr/bin cannot be run"},
        {"x@own.example", NULL, "bin/sh", false, "neither an absolute path"},
        {"x@own.example", NULL, "../../bin/sh", false, "neither an absolute path"},
        {"x@own.example", "x@far.example", "/no/such/program", false, "No such file"},
        {"nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn-@own.example", "x@far.example", NULL, true, ""},
        {"nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn@own.example", "x@far.example", NULL, true, "has at most 56 characters"},
        {"new.example", "own.example", NULL, true, "cannot be a mini-list"},
        {"new.example", "own.example", "true", false, "cannot have a command"},
        {"new.example", NULL, "true", false, "cannot have a command"},
        {"new.example", "", NULL, false, "is needed"},
        {"new.example", "own.example far.example", NULL, false, "only one other domain"},
        {"new.example", "own.example;own.example", NULL, false, "only one other domain"},
        {"new.example", "box@own.example", NULL, false, "is no domain"},
        {"new.example", "far.example", NULL, false, "far.example is not a local domain"},
        {"new.example", "none.example", NULL, false, "is not handled by tmail"},
        {"new.example", "alias.example", NULL, false, "itself an alias"},
        {"new.example", "new.example", NULL, false, "cannot stand for itself"},
        {"alias.example", "own.example", NULL, false, "already exists"},
        {"far.example", "own.example", NULL, false, "is an existing domain (and not an alias)"},
        {"own.example", "other.example", NULL, false, "is an existing domain (and not an alias)"},
        {"gone.example", "own.example", NULL, false, "has mailboxes or aliases of its own"},
    };
    int64_t hosts;

    setup();
    check_ok(rcpthosts_add(world.tables, STR("other.example"), true), "other");
    check_ok(add_user("x@gone.example", true), "user");
    check_ok(rcpthosts_del(world.tables, STR("gone.example")), "gone");
    check_ok(add("sales@own.example", "box@own.example", NULL, false), "sales");
    check_ok(add("alias.example", "own.example", NULL, false), "alias");
    hosts = number_of("SELECT count(*) FROM rcpt_hosts");
    for (size_t i = 0; i < TEST_COUNT(table); i++) {
        struct status s = add(table[i].alias, table[i].deliver_to, table[i].command, table[i].is_list);

        if (table[i].part[0] == '\0') { /* as long as can be */
            check_ok(s, table[i].alias);
            sql("DELETE FROM aliases WHERE is_mini_list");
            continue;
        }
        check_refused(s, table[i].part);
        if (!check_number(number_of("SELECT count(*) FROM aliases"), 2) ||
            !check_number(number_of("SELECT count(*) FROM rcpt_hosts"), hosts))
            printf("# %s\n", table[i].alias);
    }
    teardown();
}

/* A thousand addresses at most. */
static void number_of_addresses(void)
{
    struct buf list = {0};

    setup();
    for (int i = 0; i < ALIASES_TARGETS_MAX; i++)
        buf_print(&list, "u%d@far.example ", i);
    check_ok(add("all@own.example", buf_text(&list), NULL, false), "1000");
    buf_add_text(&list, "one@far.example");
    check_refused(add("more@own.example", buf_text(&list), NULL, false), "1000 addresses at most");
    buf_done(&list);
    teardown();
}

static void programs_are_found_by_path(void)
{
    char path[256], command[300];
    FILE *file;

    setup();
    snprintf(path, sizeof path, "%s", place_path(&world.place, "my program"));
    file = fopen(path, "w");
    if (check(file != NULL))
        fclose(file);
    snprintf(command, sizeof command, "'%s' x", path);
    check(chmod(path, 0644) == 0);
    check_refused(add("x@own.example", NULL, command, false), "Permission denied");
    check(chmod(path, 0710) == 0);
    check_ok(add("x@own.example", NULL, command, false), "executable");
    teardown();
}

static void loops_that_can_be_seen_are_refused(void)
{
    setup();
    check_ok(add("alias.example", "own.example", NULL, false), "domain");
    check_ok(add("a@own.example", "B+x@Own.example;x@far.example", NULL, false), "a");
    check_ok(add("c@own.example", "x@far.example A@alias.example", NULL, false), "c");
    check_refused(add("b@own.example", "x@far.example;C@own.example", NULL, false),
                  "the alias goes round in a circle: b@own.example -> c@own.example -> a@own.example -> b@own.example");
    check_refused(add("self@own.example", "x@far.example;Self@own.example", NULL, false), "self@own.example -> self@own.example");
    check_refused(add("self@own.example", "self+x@own.example", NULL, false), "self@own.example -> self@own.example");
    check_refused(add("self@own.example", "self+x@alias.example", "true", true), "self@own.example -> self@own.example");
    check_number(number_of("SELECT count(*) FROM aliases"), 3);
    check_ok(add("b@own.example", "box@own.example", NULL, false), "b");
    check_ok(add("d@own.example", "a@own.example b@own.example c@own.example", NULL, false), "no loop, though two ways lead to b");
    teardown();
}

/* Without a delimiter, a+x is not a. */
static void details_depend_on_the_delimiter(void)
{
    struct new_alias a = {.alias = STR("self@own.example"), .deliver_to = STR("self+x@own.example")};

    setup();
    check_ok(aliases_add(world.tables, &a), "none");
    teardown();
}

/* What an earlier tmail left goes round, and however tangled it is, the search ends. */
static void tangles_end(void)
{
    setup();
    sql("INSERT INTO aliases (alias, deliver_to, is_dom_alias) VALUES ('p@own.example', 'q@own.example', 0), ('q@own.example', "
        "'p@own.example', 0)");
    check_refused(add("r@own.example", "p@own.example", NULL, false), "p@own.example -> q@own.example -> p@own.example");
    sql("WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 30)"
        " INSERT INTO aliases (alias, deliver_to) SELECT 't' || i || '@own.example', 't' || (i + 1) || '@own.example;t' || (i + 1) || "
        "'+x@own.example' FROM n");
    check_ok(add("s@own.example", "t0@own.example", NULL, false), "tangle");
    sql("WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 1100)"
        " INSERT INTO aliases (alias, deliver_to) SELECT 'w@own.example', group_concat('x' || i || '@own.example', ';') || "
        "';v@own.example' FROM n");
    check_ok(add("v@own.example", "w@own.example", NULL, false), "a loop that is too far away to be seen");
    teardown();
}

/* Aliases of addresses of old.example, as long as that was nobody's. */
static void a_domain_makes_no_loops(void)
{
    setup();
    check_ok(add("a@own.example", "x@far.example;A@OLD.example", NULL, false), "a");
    check_refused(add("old.example", "own.example", NULL, false), "the alias goes round in a circle: a@own.example -> a@own.example");
    check_number(number_of("SELECT count(*) FROM rcpt_hosts WHERE hostname = 'old.example'"), 0);
    check_number(number_of("SELECT count(*) FROM aliases"), 1);
    check_ok(aliases_del(world.tables, STR("a@own.example")), "del");
    check_ok(add("b@own.example", "c@own.example", NULL, false), "b");
    check_ok(add("c@own.example", "B+x@xn--bcher-kva.example", NULL, true), "c");
    check_refused(add("b\xc3\xbc" "cher.example", "own.example", NULL, false), "b@own.example -> c@own.example");
    check_ok(add("old.example", "own.example", NULL, false), "old");
    check_ok(aliases_del(world.tables, STR("b@own.example")), "del");
    check_ok(add("b\xc3\xbc" "cher.example", "own.example", NULL, false), "b is nobody");
    check_ok(add("e@own.example", "box@third.example", NULL, false), "e");
    check_ok(add("third.example", "own.example", NULL, false), "no loop");
    teardown();
}

/* However many there are, the search ends. */
static void many_aliases_of_a_domain(void)
{
    setup();
    sql("WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 100)"
        " INSERT INTO aliases (alias, deliver_to) SELECT 't' || n.i || '@own.example', group_concat('t' || m.i || '@old.example', ';')"
        " FROM n JOIN n m ON m.i > n.i GROUP BY n.i");
    check_ok(add("old.example", "own.example", NULL, false), "tangle");
    teardown();
}

static void del_takes_the_domain_along(void)
{
    struct status s;

    setup();
    check_ok(add("alias.example", "own.example", NULL, false), "domain");
    check_ok(add("a@own.example", "x@far.example", NULL, false), "a");
    check_refused(aliases_del(world.tables, STR("b@own.example")), "alias b@own.example does not exist");
    check_refused(aliases_del(world.tables, STR("own.example")), "does not exist");
    check_ok(aliases_del(world.tables, STR("ALIAS.example")), "del");
    check_number(number_of("SELECT count(*) FROM rcpt_hosts WHERE hostname = 'alias.example'"), 0);
    check_number(number_of("SELECT count(*) FROM rcpt_hosts"), 2);
    s = aliases_del(world.tables, STR("A@OWN.example"));
    check_ok(s, "del a");
    check_text(s.text, "");
    check_rows("");
    teardown();
}

static void the_last_of_a_domain_is_told(void)
{
    struct status s;

    setup();
    check_ok(add("a@own.example", "x@far.example", NULL, false), "a");
    s = users_del(world.tables, STR("box@own.example"), NULL);
    check_ok(s, "user");
    check_text(s.text, "");
    s = aliases_del(world.tables, STR("a@own.example"));
    check_ok(s, "alias");
    check_has(s.text, "own.example stays a local domain");
    check_number(number_of("SELECT is_local FROM rcpt_hosts WHERE hostname = 'own.example'"), 1);
    teardown();
}

static void aliases_of_who_has_gone_are_told(void)
{
    struct status s;

    setup();
    check_ok(add_user("joe@else.example", true), "joe");
    check_ok(add_user("word@else.example", false), "word");
    check_ok(add("a@own.example", "x@far.example;JOE@Else.example", NULL, false), "a");
    check_ok(add("b@own.example", "x@far.example", NULL, false), "b");
    s = users_del(world.tables, STR("word@else.example"), NULL);
    check_ok(s, "word");
    check_text(s.text, "");
    s = users_del(world.tables, STR("joe@else.example"), NULL);
    check_ok(s, "joe");
    check_has(s.text, "else.example stays a local domain");
    check_has(s.text, "; aliases still deliver to joe@else.example: a@own.example");
    check_ok(add_user("joe@else.example", true), "joe");
    check_ok(add_user("ann@else.example", true), "ann");
    sql("WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 6)"
        " INSERT INTO aliases (alias, deliver_to) SELECT 't' || i || '@own.example', 'joe@else.example' FROM n");
    s = users_del(world.tables, STR("joe@else.example"), NULL);
    check_ok(s, "joe");
    check_text(s.text, "aliases still deliver to joe@else.example: a@own.example, t1@own.example, t2@own.example, t3@own.example,"
                       " t4@own.example and 2 more");
    teardown();
}

static void domains_of_aliases_stay(void)
{
    struct status s;

    setup();
    check_ok(add("alias.example", "own.example", NULL, false), "domain");
    check_ok(add("a@own.example", "x@far.example", NULL, false), "a");
    check_refused(rcpthosts_del(world.tables, STR("OWN.example")), "alias.example is an alias of own.example");
    check_refused(rcpthosts_del(world.tables, STR("alias.example")), "alias.example is an alias of own.example");
    check_number(number_of("SELECT count(*) FROM rcpt_hosts"), 3);
    sql("UPDATE aliases SET deliver_to = 'Own.EXAMPLE' WHERE alias = 'alias.example'"); /* as an earlier tmail wrote it */
    check_refused(rcpthosts_del(world.tables, STR("own.example")), "alias.example is an alias of own.example");
    check_ok(aliases_del(world.tables, STR("alias.example")), "del");
    s = rcpthosts_del(world.tables, STR("own.example"));
    check_ok(s, "rcpthost");
    check_has(s.text, "1 mailboxes and 1 aliases of own.example stay");
    s = rcpthosts_del(world.tables, STR("far.example"));
    check_ok(s, "rcpthost");
    check_text(s.text, "");
    check_refused(rcpthosts_del(world.tables, STR("far.example")), "is not in rcpthosts");
    teardown();
}

static void a_broken_table_is_no_refusal(void)
{
    struct status s;

    setup();
    sql("ALTER TABLE users RENAME TO hidden");
    s = add("a@own.example", "x@far.example", NULL, false);
    check_number(s.code, 451);
    sql("ALTER TABLE hidden RENAME TO users");
    check_number(number_of("SELECT count(*) FROM aliases"), 0);
    teardown();
}

static const struct test_case cases[] = {
    TEST_CASE(rows_are_as_typed_but_their_names),
    TEST_CASE(refusals_change_nothing),
    TEST_CASE(number_of_addresses),
    TEST_CASE(programs_are_found_by_path),
    TEST_CASE(loops_that_can_be_seen_are_refused),
    TEST_CASE(details_depend_on_the_delimiter),
    TEST_CASE(tangles_end),
    TEST_CASE(a_domain_makes_no_loops),
    TEST_CASE(many_aliases_of_a_domain),
    TEST_CASE(del_takes_the_domain_along),
    TEST_CASE(the_last_of_a_domain_is_told),
    TEST_CASE(aliases_of_who_has_gone_are_told),
    TEST_CASE(domains_of_aliases_stay),
    TEST_CASE(a_broken_table_is_no_refusal),
};

int main(int argc, char **argv)
{
    return test_main(cases, TEST_COUNT(cases), argc, argv);
}

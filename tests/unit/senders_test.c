#include "test.h"

#include "directory/senders.h"

#include "place.h"

#include "directory/users.h"

#include <stdlib.h>

static struct {
    struct place place;
    char path[256], error[512];
    struct tables *tables;
    struct directory directory;
} world;

static void setup(void)
{
    place_open(&world.place);
    snprintf(world.path, sizeof world.path, "%s", place_path(&world.place, "tmail.db"));
    world.tables = tables_open(world.path, world.error, sizeof world.error);
    if (world.tables == NULL || !directory_open_sql(&world.directory, world.path, world.error, sizeof world.error)) {
        fprintf(stderr, "%s\n", world.error);
        exit(1);
    }
}

static void teardown(void)
{
    directory_close(&world.directory);
    tables_close(&world.tables);
    place_close(&world.place);
}

static void sql(const char *text)
{
    if (!check(db_run(tables_db(world.tables), text)))
        printf("# %s: %s\n", text, db_error(tables_db(world.tables)));
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

static struct status add(const char *login, const char *sender)
{
    return senders_add(world.tables, str_of(login), str_of(sender));
}

static void check_sender(const char *login, const char *sender, enum answer answer)
{
    if (!check_number(world.directory.may_send_as(world.directory.self, str_of(login), str_of(sender)), answer))
        printf("# %s as %s\n", login, sender);
}

static void a_login_sends_from_what_is_its_own(void)
{
    static const struct {
        const char *login, *sender;
        enum answer answer;
    } table[] = {
        /* the login itself */
        {"joe@example.com", "joe@example.com", ANSWER_YES},
        {"joe@example.com", "JOE@example.com", ANSWER_YES},
        {"JOE@Example.com", "joe@example.com", ANSWER_YES},
        {"joe@example.com", "jim@example.com", ANSWER_NO},
        {"joe@example.com", "joe@sub.example.com", ANSWER_NO},
        {"joe@example.com", "joe+tag@example.com", ANSWER_NO},
        {"joe@example.com", "example.com", ANSWER_NO},
        {"joe@example.com", "", ANSWER_NO},
        {"joe@example.com", "joe", ANSWER_NO},
        {"joe@example.com", "joe@example.com\nx", ANSWER_NO},
        {"word", "word", ANSWER_NO},
        {"", "", ANSWER_NO},
        /* aliases that deliver to it */
        {"joe@example.com", "sales@example.com", ANSWER_YES},
        {"joe@example.com", "Sales@example.com", ANSWER_YES},
        {"jim@example.com", "sales@example.com", ANSWER_YES},
        {"jane@example.com", "sales@example.com", ANSWER_NO},
        {"joe@example.com", "spaced@example.com", ANSWER_YES},
        {"jim@example.com", "spaced@example.com", ANSWER_YES},
        {"joe@example.com", "piped@example.com", ANSWER_NO},
        {"word", "words@example.com", ANSWER_YES},
        {"oe@example.com", "sales@example.com", ANSWER_NO},
        /* the same at a domain that stands for another */
        {"joe@example.com", "joe@alias.example", ANSWER_YES},
        {"joe@example.com", "sales@alias.example", ANSWER_YES},
        {"jane@example.com", "joe@alias.example", ANSWER_NO},
        {"joe@example.com", "joe@twosteps.example", ANSWER_NO},
        {"x@loop1.example", "x@loop2.example", ANSWER_YES},
        {"x@loop1.example", "y@loop2.example", ANSWER_NO},
        {"example.com", "alias.example", ANSWER_NO},
        /* rows */
        {"joe@example.com", "other@else.example", ANSWER_YES},
        {"JOE@example.com", "OTHER@else.example", ANSWER_YES},
        {"joe@example.com", "third@else.example", ANSWER_NO},
        {"jim@example.com", "other@else.example", ANSWER_NO},
        {"jim@example.com", "anybody@whole.example", ANSWER_YES},
        {"jim@example.com", "anybody@sub.whole.example", ANSWER_NO},
        {"jim@example.com", "anybody@nowhole.example", ANSWER_NO},
        {"joe@example.com", "anybody@whole.example", ANSWER_NO},
        {"word", "anybody@xn--bcher-kva.example", ANSWER_YES},
        {"%", "other@else.example", ANSWER_NO},
        {"joe@example.com", "%@else.example", ANSWER_NO},
        {"' OR 1=1 --", "other@else.example", ANSWER_NO},
    };

    setup();
    sql("INSERT INTO aliases (alias, deliver_to, is_dom_alias, pipe) VALUES"
        " ('sales@example.com', 'Joe@example.com;jim@example.com', 0, ''),"
        " ('spaced@example.com', ' jim@example.com  joe@example.com ;', NULL, ''),"
        " ('piped@example.com', '', 0, '/bin/true joe@example.com'), ('words@example.com', 'word', 0, ''),"
        " ('alias.example', 'example.com', 1, ''), ('twosteps.example', 'alias.example', 1, ''),"
        " ('loop1.example', 'loop2.example', 1, ''), ('loop2.example', 'loop1.example', 1, '')");
    check_ok(add("Joe@example.com", "Other@Else.example"), "address");
    check_ok(add("jim@example.com", "Whole.Example."), "domain");
    check_ok(add("Word", "B\xc3\xbc""cher.example"), "domain");
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
        check_sender(table[i].login, table[i].sender, table[i].answer);
    teardown();
}

static void bad_names_are_refused(void)
{
    static const struct {
        const char *login, *sender, *part;
    } table[] = {
        {"a b", "x@y.example", "\"a b\" is no login"},
        {"", "x@y.example", "\"\" is no login"},
        {"joe@", "x@y.example", "is no login"},
        {"joe@example.com", "", "\"\" is no address and no domain"},
        {"joe@example.com", "*", "no address"},
        {"joe@example.com", "%", "no address"},
        {"joe@example.com", "a b@x.example", "no address"},
        {"joe@example.com", "@x.example", "no address"},
        {"joe@example.com", "x.example@", "no address"},
    };

    setup();
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
        check_refused(add(table[i].login, table[i].sender), table[i].part);
    check_refused(senders_del(world.tables, STR("a b"), STR("x@y.example")), "is no login");
    teardown();
}

static void note_row(void *context, const struct sender_row *r)
{
    buf_print(context, "%.*s=%.*s ", STR_ARG(r->login), STR_ARG(r->sender));
}

static void check_list(const char *login, const char *expected)
{
    struct buf b = {0};

    check_ok(senders_list(world.tables, str_of(login), note_row, &b), "list");
    check_text(buf_text(&b), expected);
    buf_done(&b);
}

static void rows_are_added_listed_and_deleted(void)
{
    setup();
    check_ok(add("joe@example.com", "b.example"), "add");
    check_ok(add("joe@example.com", "a@b.example"), "add");
    check_ok(add("anna", "b.example"), "add");
    check_refused(add("JOE@example.com", "B.example"), "joe@example.com may send as b.example already");
    check_list("", "anna=b.example joe@example.com=a@b.example joe@example.com=b.example ");
    check_list("Joe@Example.com", "joe@example.com=a@b.example joe@example.com=b.example ");
    check_list("nobody", "");
    check_refused(senders_del(world.tables, STR("joe@example.com"), STR("c.example")), "there is no sender c.example of joe@example.com");
    check_refused(senders_del(world.tables, STR("nobody"), STR("b.example")), "there is no sender");
    check_ok(senders_del(world.tables, STR("JOE@example.com"), STR("B.EXAMPLE")), "del");
    check_sender("joe@example.com", "x@b.example", ANSWER_NO);
    check_sender("joe@example.com", "a@b.example", ANSWER_YES);
    check_sender("anna", "x@b.example", ANSWER_YES);
    teardown();
}

static void rows_go_with_their_user(void)
{
    const struct new_user joe = {.login = STR("joe@example.com"), .password = STR("secret")};

    setup();
    check_ok(users_add(world.tables, &joe), "user");
    check_ok(add("joe@example.com", "b.example"), "add");
    check_ok(add("joe", "b.example"), "add");
    check_refused(users_del(world.tables, STR("jim@example.com"), NULL), "does not exist");
    check_ok(users_del(world.tables, STR("JOE@example.com"), NULL), "del");
    check_list("", "joe=b.example ");
    check_refused(users_del(world.tables, STR("joe"), NULL), "does not exist");
    check_list("", "joe=b.example ");
    teardown();
}

static void a_lookup_that_failed_is_no_answer(void)
{
    setup();
    check_ok(add("joe@example.com", "b.example"), "add");
    sql("ALTER TABLE user_senders RENAME TO lost");
    check_sender("joe@example.com", "x@b.example", ANSWER_FAILED);
    check_sender("joe@example.com", "joe@example.com", ANSWER_YES);
    sql("ALTER TABLE lost RENAME TO user_senders");
    sql("ALTER TABLE aliases RENAME TO lost");
    check_sender("joe@example.com", "x@b.example", ANSWER_FAILED);
    sql("ALTER TABLE lost RENAME TO aliases");
    check_sender("joe@example.com", "x@b.example", ANSWER_YES);
    teardown();
}

static const struct test_case cases[] = {
    TEST_CASE(a_login_sends_from_what_is_its_own),
    TEST_CASE(bad_names_are_refused),
    TEST_CASE(rows_are_added_listed_and_deleted),
    TEST_CASE(rows_go_with_their_user),
    TEST_CASE(a_lookup_that_failed_is_no_answer),
};

int main(int argc, char **argv)
{
    return test_main(cases, TEST_COUNT(cases), argc, argv);
}

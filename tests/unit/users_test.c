#include "test.h"

#include "directory/users.h"

#include "place.h"

#include "directory/mailbox.h"
#include "directory/rcpthosts.h"

#include <stdlib.h>
#include <sys/stat.h>

static struct {
    struct place place;
    char path[256], error[512];
    const char *base; /* of the homes */
    struct tables *tables;
} world;

static void check_ok(struct status s, const char *what)
{
    if (!check(status_is_ok(&s)))
        printf("# %s: %s\n", what, s.text);
}

static void check_refused(struct status s, const char *part)
{
    check_number(s.code, 550);
    check_has(s.text, part);
    check(!db_in_transaction(tables_db(world.tables)));
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

static struct status add(const char *login, bool mailbox, bool catchall)
{
    return users_add(world.tables, &(struct new_user){.login = str_of(login),
                                                      .password = STR("secret"),
                                                      .mailbox = mailbox,
                                                      .catchall = catchall,
                                                      .default_quota = 200 << 20,
                                                      .home_base = str_of(world.base),
                                                      .delimiter = '+'});
}

/* A login of each kind. */
static void setup(void)
{
    place_open(&world.place);
    world.base = "/base/";
    snprintf(world.path, sizeof world.path, "%s", place_path(&world.place, "tmail.db"));
    world.tables = tables_open(world.path, world.error, sizeof world.error);
    if (world.tables == NULL) {
        fprintf(stderr, "%s\n", world.error);
        exit(1);
    }
    check_ok(add("box@own.example", true, false), "mailbox");
    check_ok(add("all@own.example", true, true), "catch-all");
    check_ok(add("login@new.example", false, false), "login");
    check_ok(add("word", false, false), "word");
}

static void teardown(void)
{
    tables_close(&world.tables);
    place_close(&world.place);
}

/* What one line of changes says: "a" active, "m" mailbox, "r" relay, "c" catch-all, each with + or -; "q" and the quota, at the end. */
static struct status update(const char *login, const char *changes)
{
    static const bool no = false, yes = true;
    struct user_update u = {.default_quota = 100, .home_base = str_of(world.base), .delimiter = '+'};

    for (const char *c = changes; *c != '\0'; c += 2) {
        const bool *value = c[1] == '+' ? &yes : &no;

        if (*c == 'q') {
            u.quota = str_of(c + 1);
            break;
        }
        *(*c == 'a' ? &u.active : *c == 'm' ? &u.mailbox : *c == 'r' ? &u.relay : &u.catchall) = value;
    }
    return users_update(world.tables, str_of(login), &u);
}

static void print_row(void *context, const struct user_row *r)
{
    buf_print(context, "%.*s %s%s%s%s %.*s %.*s\n", STR_ARG(r->login), r->active ? "a" : "", r->relay ? "r" : "", r->mailbox ? "m" : "",
              r->catchall ? "c" : "", STR_ARG(r->quota), STR_ARG(r->home));
}

static void check_rows(const char *expected)
{
    struct buf text = {0};

    check_ok(users_list(world.tables, print_row, &text), "list");
    check_text(buf_text(&text), expected);
    buf_done(&text);
}

#define AS_THEY_WERE                                                                                                            \
    "all@own.example amc 200M /base/o/own.example/a/all\nbox@own.example am 200M /base/o/own.example/b/box\nlogin@new.example a  \n" \
    "word a  \n"

static void flags_change_one_by_one(void)
{
    setup();
    check_rows(AS_THEY_WERE);
    check_ok(update("box@own.example", "r+"), "relay");
    check_ok(update("BOX@Own.Example", "a-"), "active");
    check_ok(update("box@own.example", "q1g"), "quota");
    check_ok(update("word", "a-r+"), "word");
    check_ok(update("all@own.example", "m+"), "as it is");
    check_rows(
        "all@own.example amc 200M /base/o/own.example/a/all\nbox@own.example rm 1G /base/o/own.example/b/box\nlogin@new.example a  \n"
        "word r  \n");
    teardown();
}

static void a_new_mailbox_has_all_that_one_needs(void)
{
    setup();
    check_number(number_of("SELECT count(*) FROM rcpt_hosts"), 1);
    check_ok(update("login@new.example", "m+c+"), "mailbox");
    check_number(number_of("SELECT is_local FROM rcpt_hosts WHERE hostname = 'new.example'"), 1);
    check_rows("all@own.example amc 200M /base/o/own.example/a/all\nbox@own.example am 200M /base/o/own.example/b/box\n"
               "login@new.example amc 100 /base/n/new.example/l/login\nword a  \n");
    teardown();
}

static void a_mailbox_that_was_taken_away_comes_back(void)
{
    struct status s;

    setup();
    s = update("box@own.example", "m-");
    check_ok(s, "m-");
    check_text(s.text, "");
    check_number(users_has_mailbox(world.tables, STR("box@own.example")), ANSWER_NO);
    s = update("all@own.example", "m-c-");
    check_ok(s, "m-c-");
    check_has(s.text, "own.example stays a local domain");
    sql("UPDATE users SET home = '/elsewhere' WHERE login = 'box@own.example'");
    check_ok(update("box@own.example", "m+"), "m+");
    check_rows("all@own.example a 200M /base/o/own.example/a/all\nbox@own.example am 200M /elsewhere\nlogin@new.example a  \nword a  \n");
    teardown();
}

static void the_catchall_moves(void)
{
    setup();
    check_refused(update("box@own.example", "c+"), "already has a catch-all: all@own.example");
    check_ok(update("all@own.example", "c+"), "itself");
    check_ok(update("all@own.example", "c-"), "gives it up");
    check_ok(update("box@own.example", "c+"), "takes it");
    check_number(number_of("SELECT count(*) FROM users WHERE is_catchall"), 1);
    check_number(number_of("SELECT is_catchall FROM users WHERE login = 'box@own.example'"), 1);
    teardown();
}

static void refusals_change_nothing(void)
{
    static const struct {
        const char *login, *changes, *part;
    } table[] = {
        {"nobody@own.example", "a-", "user nobody@own.example does not exist"},
        {"word", "m+", "word is none"},
        {"word", "r+c+", "a catch-all needs a mailbox"},
        {"login@new.example", "a-c+", "a catch-all needs a mailbox"},
        {"login@new.example", "q1G", "a quota needs a mailbox"},
        {"box@own.example", "m-q1G", "a quota needs a mailbox"},
        {"box@own.example", "m-c+", "a catch-all needs a mailbox"},
        {"all@own.example", "a-m-", "is the catch-all of its domain"},
        {"box@own.example", "a-q1T", "\"1T\" is no quota"},
        {"box@own.example", "r+q-1", "is no quota"},
        {"login@far.example", "m+", "as a remote domain"},
        {"login@alias.example", "m+", "alias of another domain"},
        {"sales@own.example", "a-m+", "is an existing alias"},
        {"a/b@own.example", "m+", "cannot be the name of a mailbox"},
        {"a+b@own.example", "m+", "TMAIL_RECIPIENT_DELIMITER"},
        {"\"../x\"@own.example", "m+", "cannot be the name of a mailbox"},
    };
    int64_t users;

    setup();
    check_ok(rcpthosts_add(world.tables, STR("far.example"), false), "remote");
    sql("INSERT INTO rcpt_hosts (hostname, is_local, is_alias) VALUES ('alias.example', 1, 1)");
    sql("INSERT INTO users (login, passwd, active) VALUES ('login@far.example', 'x', 'Y'), ('login@alias.example', 'x', 'Y'),"
        " ('sales@own.example', 'x', 'Y'), ('a/b@own.example', 'x', 'Y'), ('a+b@own.example', 'x', 'Y'),"
        " ('\"../x\"@own.example', 'x', 'Y')");
    sql("INSERT INTO aliases (alias, deliver_to) VALUES ('sales@own.example', 'x@far.example')");
    users = number_of("SELECT count(*) FROM users WHERE active = 'Y' AND NOT auth_relay");
    for (size_t i = 0; i < TEST_COUNT(table); i++) {
        check_refused(update(table[i].login, table[i].changes), table[i].part);
        if (!check_number(number_of("SELECT count(*) FROM users WHERE active = 'Y' AND NOT auth_relay"), users) ||
            !check_number(number_of("SELECT count(*) FROM users WHERE have_mailbox"), 2) ||
            !check_number(number_of("SELECT count(*) FROM rcpt_hosts"), 3))
            printf("# %s %s\n", table[i].login, table[i].changes);
    }
    teardown();
}

/* A row that breaks the rules, as an earlier tmail may have left it, can still be locked out. */
static void odd_rows_can_be_changed(void)
{
    setup();
    sql("UPDATE users SET is_catchall = 1, have_mailbox = 0");
    check_ok(update("box@own.example", "a-"), "active");
    check_ok(update("box@own.example", "c-"), "catch-all");
    check_number(number_of("SELECT count(*) FROM users WHERE is_catchall AND active = 'Y'"), 3);
    teardown();
}

static void del_tells_the_home(void)
{
    struct gone_user gone = {0};
    struct status s;

    setup();
    s = users_del(world.tables, STR("BOX@own.example"), &gone);
    check_ok(s, "del");
    check_text(s.text, "");
    check_text(gone.login, "box@own.example");
    check_text(buf_text(&gone.home), "/base/o/own.example/b/box");
    buf_done(&gone.home);
    s = users_del(world.tables, STR("all@own.example"), NULL);
    check_ok(s, "del");
    check_has(s.text, "own.example stays a local domain");
    s = users_del(world.tables, STR("word"), NULL);
    check_ok(s, "del");
    check_text(s.text, "");
    check_refused(users_del(world.tables, STR("word"), NULL), "user word does not exist");
    check_number(number_of("SELECT count(*) FROM users"), 1);
    teardown();
}

/* Dovecot would deliver to a. */
static void names_with_a_detail_are_no_mailboxes(void)
{
    setup();
    check_refused(add("A+b@own.example", true, false), "a+b@own.example cannot be the name of a mailbox");
    check_refused(add("+@own.example", true, false), "what stands behind the + is a detail (TMAIL_RECIPIENT_DELIMITER)");
    check_ok(add("a+b@own.example", false, false), "a login");
    check_refused(update("a+b@own.example", "m+"), "TMAIL_RECIPIENT_DELIMITER");
    check_number(number_of("SELECT count(*) FROM users WHERE have_mailbox"), 2);
    check_ok(mailbox_check_login(STR("a+b@own.example"), '\0'), "no delimiter");
    check_ok(mailbox_check_login(STR("a+b@own-x.example"), '-'), "another, in the domain");
    sql("UPDATE users SET have_mailbox = 1 WHERE login = 'a+b@own.example'");
    check_ok(update("a+b@own.example", "m+a-"), "one that an earlier tmail made");
    teardown();
}

static struct status purge(const char *login)
{
    struct gone_user gone = {.purge = true};
    struct status s = users_del(world.tables, str_of(login), &gone);

    buf_done(&gone.home);
    return s;
}

static void a_purge_takes_no_other_mail_along(void)
{
    static const struct {
        const char *home; /* of somebody else */
        bool overlaps;
    } table[] = {
        {"/base/o/own.example/b/box", true},      {"/base/o/own.example/b/box/", true},
        {"/base//o/./own.example/b/box", true},   {"/base/o/own.example/b/joe/../box/Maildir/", true},
        {"/base/o/own.example/b/box/sub", true},  {"/base/o/own.example/b", true},
        {"/base", true},                          {"/", true},
        {"base/o/own.example/b/box", true},       {"/base/o/own.example/b/box2", false},
        {"/base/o/own.example/b/bo", false},      {"/base/o/own.example/b/box/../y", false},
        {"/elsewhere", false},                    {"", false},
    };

    setup();
    for (size_t i = 0; i < TEST_COUNT(table); i++) {
        struct db_query *q = tables_query(world.tables, "UPDATE users SET home = ?1 WHERE login = 'word'");

        db_bind_str(q, 1, str_of(table[i].home));
        check(db_execute(q));
        if (!table[i].overlaps) {
            check_ok(purge("box@own.example"), table[i].home);
            check_ok(add("box@own.example", true, false), "again");
            continue;
        }
        check_refused(purge("box@own.example"), "the mail of word would be deleted with it");
        if (!check_number(users_has_mailbox(world.tables, STR("box@own.example")), ANSWER_YES))
            printf("# %s\n", table[i].home);
    }
    sql("UPDATE users SET home = '/base/o/own.example/b/box/x' WHERE login = 'word'");
    check_ok(users_del(world.tables, STR("box@own.example"), NULL), "without its home");
    sql("UPDATE users SET home = NULL WHERE login = 'word'");
    check_ok(purge("all@own.example"), "nobody's home");
    teardown();
}

/* Who comes back, or comes after another of that name, finds mail. */
static void a_home_that_is_there_is_told(void)
{
    static const char *const folders[] = {"b", "b/o", "b/o/own.example", "b/o/own.example/j", "b/o/own.example/j/joe",
                                          "b/n", "b/n/new.example", "b/n/new.example/l", "b/n/new.example/l/login"};
    char base[256];
    struct status s;

    setup();
    for (size_t i = 0; i < TEST_COUNT(folders); i++)
        check(mkdir(place_path(&world.place, folders[i]), 0700) == 0);
    snprintf(base, sizeof base, "%s", place_path(&world.place, "b"));
    world.base = base;
    s = add("joe@own.example", true, false);
    check_ok(s, "joe");
    check_has(s.text, "/b/o/own.example/j/joe exists already: mail that lies there will be the user's");
    s = add("jo@own.example", true, false);
    check_ok(s, "jo");
    check_text(s.text, "");
    s = update("login@new.example", "m+");
    check_ok(s, "login");
    check_has(s.text, "/b/n/new.example/l/login exists already");
    s = update("login@new.example", "m-");
    check_has(s.text, "stays a local domain");
    s = update("login@new.example", "m+"); /* its own again */
    check_ok(s, "back");
    check_text(s.text, "");
    teardown();
}

static void homes_are_below_their_base(void)
{
    static const char *const logins[] = {"joe@own.example",
                                         "-ox@own.example",
                                         "\xc3\xa9t\xc3\xa9@own.example",
                                         "%u@own.example",
                                         "$(x)@own.example",
                                         "a.b+c@own.example",
                                         "~root@own.example",
                                         "\"a b\"@own.example",
                                         "\"../x\"@own.example",
                                         "\"..\"@own.example",
                                         "a/b@own.example",
                                         "/etc@own.example",
                                         "\"\"@own.example",
                                         "word"};
    static const char *const homes[] = {"o/own.example/j/joe", "o/own.example/-/-ox", "o/own.example/\xc3\xa9/\xc3\xa9t\xc3\xa9",
                                        "o/own.example/%/%u", NULL, "o/own.example/a/a.b+c", "o/own.example/~/~root",
                                        NULL, NULL, NULL, NULL, NULL, NULL, NULL};

    for (size_t i = 0; i < TEST_COUNT(logins); i++) {
        char login[NAME_SIZE];
        struct status s = tables_refused("no login");
        struct buf home = {0};

        if (name_login(str_of(logins[i]), login))
            s = mailbox_check_login(str_of(login), '\0');
        if (status_is_ok(&s))
            mailbox_write_home(str_of(login), &home);
        if (homes[i] != NULL ? !check_text(buf_text(&home), homes[i]) : !check_number(s.code, 550))
            printf("# %s\n", logins[i]);
        buf_done(&home);
    }
}

static const struct test_case cases[] = {
    TEST_CASE(flags_change_one_by_one),
    TEST_CASE(a_new_mailbox_has_all_that_one_needs),
    TEST_CASE(a_mailbox_that_was_taken_away_comes_back),
    TEST_CASE(the_catchall_moves),
    TEST_CASE(refusals_change_nothing),
    TEST_CASE(odd_rows_can_be_changed),
    TEST_CASE(del_tells_the_home),
    TEST_CASE(names_with_a_detail_are_no_mailboxes),
    TEST_CASE(a_purge_takes_no_other_mail_along),
    TEST_CASE(a_home_that_is_there_is_told),
    TEST_CASE(homes_are_below_their_base),
};

int main(int argc, char **argv)
{
    return test_main(cases, TEST_COUNT(cases), argc, argv);
}

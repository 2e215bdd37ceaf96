#include "test.h"

#include "directory/directory.h"
#include "directory/route_secret.h"
#include "directory/routes.h"

#include <stdlib.h>
#include <unistd.h>

static struct {
    char folder[64], path[96], key[96], error[512];
    struct tables *tables;
    struct secrets *secrets;
    struct directory directory;
} world;

static void setup(void)
{
    snprintf(world.folder, sizeof world.folder, "/tmp/tmail-routes-XXXXXX");
    if (mkdtemp(world.folder) == NULL)
        abort();
    snprintf(world.path, sizeof world.path, "%s/tmail.db", world.folder);
    snprintf(world.key, sizeof world.key, "%s/secret.key", world.folder);
    world.secrets = secrets_new(world.key);
    world.tables = tables_open(world.path, world.error, sizeof world.error);
    check(world.tables != NULL);
    check(directory_open_sql(&world.directory, world.path, world.error, sizeof world.error));
}

static void teardown(void)
{
    char path[128];

    directory_close(&world.directory);
    tables_close(&world.tables);
    secrets_free(&world.secrets);
    unlink(world.key);
    unlink(world.path);
    snprintf(path, sizeof path, "%s-wal", world.path);
    unlink(path);
    snprintf(path, sizeof path, "%s-shm", world.path);
    unlink(path);
    rmdir(world.folder);
}

static struct status add(const char *user, const char *mail_from, const char *host, const char *remote, int64_t priority)
{
    const struct route_row row = {
        .user = str_of(user),
        .mail_from = str_of(mail_from),
        .host = str_of(host),
        .remote_host = str_of(remote),
        .port = 25,
        .priority = priority,
    };

    return routes_add(world.tables, world.secrets, &row);
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

static void sql(const char *text)
{
    if (!check(db_run(tables_db(world.tables), text)))
        printf("# %s: %s\n", text, db_error(tables_db(world.tables)));
}

/* The next hops of the answer, joined with spaces; "none" or "failed". */
static void find(const char *user, const char *sender, const char *domain, char *to, size_t size)
{
    const struct route_question question = {.user = str_of(user), .sender = str_of(sender), .domain = str_of(domain)};
    struct arena arena;
    struct route *routes;
    struct buf b = {0};
    size_t count;
    enum answer answer;

    arena_init(&arena);
    answer = world.directory.routes(world.directory.self, &question, &arena, &routes, &count);
    check((answer == ANSWER_YES) == (count > 0));
    for (size_t i = 0; i < count; i++)
        buf_print(&b, i > 0 ? " %s" : "%s", routes[i].remote_host);
    snprintf(to, size, "%s", answer == ANSWER_FAILED ? "failed" : answer == ANSWER_NO ? "none" : buf_text(&b));
    buf_done(&b);
    arena_done(&arena);
}

static void check_route(const char *user, const char *sender, const char *domain, const char *expected)
{
    char found[256];

    find(user, sender, domain, found, sizeof found);
    if (!check_text(found, expected))
        printf("# user %s, sender %s, destination %s\n", user, sender, domain);
}

/* All rules, best first; the message of each_rule_in_its_turn meets them all. */
static const struct {
    const char *user, *mail_from, *host;
} ladder[] = {
    {"joe@user.example", "me@from.example", "to.example"},
    {"user.example", "me@from.example", "to.example"},
    {"joe@user.example", "me@from.example", ""},
    {"user.example", "me@from.example", "*"},
    {"joe@user.example", "from.example", "to.example"},
    {"user.example", "from.example", "to.example"},
    {"joe@user.example", "from.example", ""},
    {"user.example", "from.example", ""},
    {"joe@user.example", "", "to.example"},
    {"user.example", "", "to.example"},
    {"joe@user.example", "", ""},
    {"user.example", "", "*"},
    {"", "", "to.example"},
    {"map", "", ""},
    {"", "", "*"},
};
enum { RULES = sizeof ladder / sizeof ladder[0] };

static void add_rule(size_t rule)
{
    char name[32];

    snprintf(name, sizeof name, "rule%zu", rule);
    if (strcmp(ladder[rule].user, "map") == 0)
        sql("INSERT INTO routes (host, mail_from, remote_host, remote_port, priority, map_order)"
            " VALUES ('to.example', 'from.example', 'rule13', 25, 1, 0)");
    else
        check_ok(add(ladder[rule].user, ladder[rule].mail_from, ladder[rule].host, name, 1), name);
}

static void each_rule_in_its_turn(void)
{
    char expected[32];

    setup();
    check_route("joe@user.example", "me@from.example", "to.example", "none");
    for (size_t rule = RULES; rule-- > 0;) {
        add_rule(rule);
        snprintf(expected, sizeof expected, "rule%zu", rule);
        check_route("joe@user.example", "me@from.example", "to.example", expected);
    }
    teardown();
}

static void every_pair_of_rules(void)
{
    char expected[32];

    setup();
    for (size_t better = 0; better < RULES; better++)
        for (size_t worse = better + 1; worse < RULES; worse++) {
            sql("DELETE FROM routes");
            add_rule(worse);
            add_rule(better);
            snprintf(expected, sizeof expected, "rule%zu", better);
            check_route("joe@user.example", "me@from.example", "to.example", expected);
        }
    teardown();
}

/* With all rules there, who gets what. */
static void others_do_not_match(void)
{
    static const struct {
        const char *user, *sender, *domain, *expected;
    } table[] = {
        {"", "me@from.example", "to.example", "rule12"},
        {"", "me@from.example", "other.example", "rule14"},
        {"", "", "to.example", "rule12"},
        {"joe@user.example", "", "to.example", "rule8"},
        {"joe@user.example", "", "other.example", "rule10"},
        {"joe@user.example", "you@from.example", "to.example", "rule4"},
        {"joe@user.example", "you@from.example", "other.example", "rule6"},
        {"joe@user.example", "me@from.example", "other.example", "rule2"},
        {"joe@user.example", "me@else.example", "to.example", "rule8"},
        {"jim@user.example", "me@from.example", "to.example", "rule1"},
        {"jim@user.example", "me@from.example", "other.example", "rule3"},
        {"jim@user.example", "you@from.example", "to.example", "rule5"},
        {"jim@user.example", "you@from.example", "other.example", "rule7"},
        {"jim@user.example", "me@else.example", "to.example", "rule9"},
        {"jim@user.example", "me@else.example", "other.example", "rule11"},
        {"user.example", "me@else.example", "other.example", "rule11"},
        {"joe", "me@from.example", "to.example", "rule12"},
        {"joe@sub.user.example", "me@from.example", "to.example", "rule12"},
        {"joe@user.exampl", "me@from.example", "other.example", "rule14"},
        {"JOE@User.Example", "ME@from.example", "to.example", "rule0"},
        {"joe@user.example", "me@sub.from.example", "to.example", "rule8"},
        {"%@user.example", "%@from.example", "to.exampl_", "rule7"},
        {"%", "%", "%", "rule14"},
        {"' OR 1=1 --", "'", "'", "rule14"},
    };

    setup();
    for (size_t rule = 0; rule < RULES; rule++)
        add_rule(rule);
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
        check_route(table[i].user, table[i].sender, table[i].domain, table[i].expected);
    teardown();
}

static void generic_rows_of_an_earlier_tmail(void)
{
    static const char *const hosts[] = {"NULL", "''", "'*'"};
    char text[256];

    setup();
    for (size_t i = 0; i < 3; i++) {
        sql("DELETE FROM routes");
        snprintf(text, sizeof text, "INSERT INTO routes (host, remote_host, user, mail_from) VALUES (%s, 'generic', 'user.example', '')",
                 hosts[i]);
        sql(text);
        check_route("joe@user.example", "me@from.example", "to.example", "generic");
        check_route("", "me@from.example", "to.example", "none");
    }
    teardown();
}

static void a_sender_needs_a_user(void)
{
    setup();
    check_refused(add("", "from.example", "", "r.example", 1), "-u");
    sql("INSERT INTO routes (host, remote_host, mail_from) VALUES ('to.example', 'r', 'from.example'), ('*', 'r', 'from.example')");
    check_route("", "me@from.example", "to.example", "none");
    check_route("joe@user.example", "me@from.example", "to.example", "none");
    teardown();
}

static void priorities_and_weights(void)
{
    setup();
    check_ok(add("", "", "to.example", "third", 10), "add");
    check_ok(add("", "", "to.example", "first", 0), "add");
    check_ok(add("", "", "to.example", "second", 2), "add");
    check_ok(add("", "", "to.example", "second", 2), "add");
    check_ok(add("", "", "*", "elsewhere", 0), "add");
    check_route("", "me@from.example", "to.example", "first second second third");
    teardown();
}

static void map_takes_the_first_line(void)
{
    static const struct {
        const char *sender, *domain, *expected;
    } table[] = {
        {"a@one.example", "two.example", "zero"},
        {"a@one.example", "three.example", "one one2"},
        {"A@ONE.example", "x.example", "one one2"},
        {"a@else.example", "two.example", "two"},
        {"a@else.example", "else.example", "last"},
        {"", "two.example", "two"},
        {"", "else.example", "null"},
        {"a@bounce", "else.example", "last"}, /* a domain of that name is not the null sender */
    };

    setup();
    sql("INSERT INTO routes (host, mail_from, remote_host, remote_port, priority, map_order) VALUES"
        " ('*', NULL, 'last', 25, 1, 9), ('*', 'bounce', 'null', 25, 1, 3), ('two.example', NULL, 'two', 25, 1, 2),"
        " ('*', 'one.example', 'one2', 25, 2, 1), ('*', 'one.example', 'one', 25, 1, 1), ('two.example', 'one.example', 'zero', 25, 1, 0)");
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
        check_route("", table[i].sender, table[i].domain, table[i].expected);
    teardown();
}

static void rows_are_copied_out(void)
{
    const struct route_row row = {
        .host = STR("B\xc3\xbc""cher.example"),
        .remote_host = STR("[2001:DB8::25]"),
        .local_ips = STR("[::1]|192.0.2.1|192.0.2.1"),
        .login = STR("me"),
        .password = STR("pass"),
        .port = 587,
        .priority = 3,
    };
    const struct route_question question = {.domain = STR("xn--bcher-kva.example")};
    struct arena arena;
    struct route *routes;
    size_t count;

    setup();
    check_ok(routes_add(world.tables, world.secrets, &row), "add");
    check_ok(add("", "", "", "MX", 1), "add");
    arena_init(&arena);
    check_number(world.directory.routes(world.directory.self, &question, &arena, &routes, &count), ANSWER_YES);
    if (check_number(count, 1)) {
        check_text(routes[0].host, "xn--bcher-kva.example");
        check_text(routes[0].remote_host, "2001:db8::25");
        check_text(routes[0].local_ips, "::1|192.0.2.1|192.0.2.1");
        check_text(routes[0].login, "me");
        check_number(routes[0].remote_port, 587);
        check_number(routes[0].priority, 3);
    }
    check_number(world.directory.routes(world.directory.self, &(struct route_question){.domain = STR("x")}, &arena, &routes, &count),
                 ANSWER_YES);
    if (check_number(count, 1)) {
        check_text(routes[0].host, "*");
        check_text(routes[0].remote_host, "mx");
        check(routes[0].local_ips == NULL && routes[0].login == NULL);
    }
    arena_done(&arena);
    teardown();
}

static void bad_routes_are_refused(void)
{
    static const struct {
        struct route_row row;
        const char *part;
    } table[] = {
        {{.port = 25}, "remote host (-rh) is needed"},
        {{.remote_host = {"r.example", 9}, .port = 0}, "bad port"},
        {{.remote_host = {"r.example", 9}, .port = 65536}, "bad port"},
        {{.remote_host = {"r.example:25", 12}, .port = 25}, "bad remote host"},
        {{.remote_host = {"300.1.1.1", 9}, .port = 25}, "bad remote host"},
        {{.remote_host = {"a b", 3}, .port = 25}, "bad remote host"},
        {{.remote_host = {"mx", 2}, .port = 25, .local_ips = {"192.0.2.1&192.0.2.2|192.0.2.3", 29}}, "mixed & and | are not allowed"},
        {{.remote_host = {"mx", 2}, .port = 25, .local_ips = {"192.0.2.1&", 10}}, "empty item"},
        {{.remote_host = {"mx", 2}, .port = 25, .local_ips = {"here", 4}}, "no IP address"},
        {{.remote_host = {"mx", 2}, .port = 25, .host = {"%", 1}}, "is no domain"},
        {{.remote_host = {"mx", 2}, .port = 25, .host = {"joe@x", 5}}, "is no domain"},
        {{.remote_host = {"mx", 2}, .port = 25, .user = {"a b", 3}}, "no login and no domain"},
        {{.remote_host = {"mx", 2}, .port = 25, .user = {"joe", 3}, .mail_from = {"a b", 3}}, "no address and no domain"},
        {{.remote_host = {"mx", 2}, .port = 25, .login = {"me", 2}}, "needs a password"},
        {{.remote_host = {"mx", 2}, .port = 25, .password = {"x", 1}}, "needs a password"},
        {{.remote_host = {"mx", 2}, .port = 25, .login = {"m\n", 2}, .password = {"x", 1}}, "control character"},
        {{.remote_host = {"mx", 2}, .port = 25, .login = {"me", 2}, .password = {"x\0", 2}}, "control character"},
        {{.remote_host = {"mx", 2}, .port = 25, .tls = {"maybe", 5}}, "\"maybe\" is no TLS rule (expected none, may,"},
        {{.remote_host = {"mx", 2}, .port = 25, .tls = {"none+smtps", 10}}, "is no TLS rule"},
        {{.remote_host = {"mx", 2}, .port = 25, .tls = {"Verify", 6}}, "is no TLS rule"},
        {{.remote_host = {"mx", 2}, .port = 25, .tls = {"none", 4}, .login = {"me", 2}, .password = {"x", 1}}, "never sent in plain text"},
    };

    setup();
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
        check_refused(routes_add(world.tables, world.secrets, &table[i].row), table[i].part);
    check_route("", "", "x", "none");
    teardown();
}

/* --- passwords --- */

/* The password of the only route, opened as deliverd does. */
static void check_password(const char *expected)
{
    const struct route_question question = {.domain = STR("x.example")};
    struct buf context = {0}, plain = {0};
    struct arena arena;
    struct route *routes;
    size_t count;

    arena_init(&arena);
    world.directory.routes(world.directory.self, &question, &arena, &routes, &count);
    if (check_number(count, 1) && check(routes[0].login != NULL && routes[0].password != NULL)) {
        secrets_route_context(str_of(routes[0].remote_host), str_of(routes[0].login), &context);
        if (!check(secrets_open(world.secrets, buf_str(&context), str_of(routes[0].password), &plain, world.error, sizeof world.error)))
            printf("# %s\n", world.error);
        check_text(buf_text(&plain), expected);
    }
    buf_done(&plain);
    buf_done(&context);
    arena_done(&arena);
}

static bool file_holds(const char *text)
{
    static const char *const tails[] = {"", "-wal"};
    static char bytes[1 << 21];
    bool found = false;

    for (size_t i = 0; i < 2; i++) {
        char path[128];
        FILE *f;
        size_t length;

        snprintf(path, sizeof path, "%s%s", world.path, tails[i]);
        f = fopen(path, "r");
        length = f != NULL ? fread(bytes, 1, sizeof bytes, f) : 0;
        check(length < sizeof bytes);
        found = found || memmem(bytes, length, text, strlen(text)) != NULL;
        if (f != NULL)
            fclose(f);
    }
    return found;
}

static void passwords_are_stored_sealed(void)
{
    const struct route_row row = {.remote_host = STR("Relay.Example"), .login = STR("My Login"), .password = STR("to-look-for"), .port = 25,
                                  .tls = STR("verify+smtps")};

    setup();
    check_ok(routes_add(world.tables, world.secrets, &row), "add");
    check_password("to-look-for");
    check(file_holds("My Login"));
    check(!file_holds("to-look-for"));
    sql("UPDATE routes SET smtp_auth_passwd = 'plain from before'");
    check_password("plain from before");
    teardown();
}

static void a_sealed_password_is_for_its_host_alone(void)
{
    const struct route_row row = {.remote_host = STR("r.example"), .login = STR("me"), .password = STR("pass"), .port = 25};
    const struct route_question question = {.domain = STR("x.example")};
    struct buf context = {0}, plain = {0};
    struct arena arena;
    struct route *routes;
    size_t count;

    setup();
    check_ok(routes_add(world.tables, world.secrets, &row), "add");
    sql("UPDATE routes SET remote_host = 'evil.example'");
    arena_init(&arena);
    world.directory.routes(world.directory.self, &question, &arena, &routes, &count);
    if (check_number(count, 1)) {
        secrets_route_context(str_of(routes[0].remote_host), str_of(routes[0].login), &context);
        check(!secrets_open(world.secrets, buf_str(&context), str_of(routes[0].password), &plain, world.error, sizeof world.error));
    }
    arena_done(&arena);
    buf_done(&context);
    buf_done(&plain);
    teardown();
}

static void rules_and_clients_are_copied_out(void)
{
    const struct route_row row = {.remote_host = STR("r.example"), .port = 25, .tls = STR("smtps"), .verp = true};
    const struct route_question question = {.domain = STR("x.example")};
    struct arena arena;
    struct route *routes;
    size_t count;

    setup();
    check_ok(routes_add(world.tables, world.secrets, &row), "add");
    sql("UPDATE routes SET oauth = 'office'");
    check_ok(add("", "", "plain.example", "r", 1), "add");
    arena_init(&arena);
    world.directory.routes(world.directory.self, &question, &arena, &routes, &count);
    if (check_number(count, 1)) {
        check_text(routes[0].tls, "smtps");
        check_text(routes[0].oauth, "office");
        check(routes[0].verp);
        check(routes[0].login == NULL && routes[0].password == NULL);
    }
    world.directory.routes(world.directory.self, &(struct route_question){.domain = STR("plain.example")}, &arena, &routes, &count);
    if (check_number(count, 1))
        check(routes[0].tls == NULL && routes[0].oauth == NULL && !routes[0].verp);
    arena_done(&arena);
    teardown();
}

static void without_a_key_no_password_is_stored(void)
{
    const struct route_row row = {.remote_host = STR("r.example"), .login = STR("me"), .password = STR("pass"), .port = 25};

    setup();
    secrets_free(&world.secrets);
    world.secrets = secrets_new("/nowhere/at/all/secret.key");
    check_refused(routes_add(world.tables, world.secrets, &row), "/nowhere/at/all/secret.key");
    check_route("", "", "x.example", "none");
    check_ok(add("", "", "", "r.example", 1), "one without a login needs none");
    check_route("", "", "x.example", "r.example");
    teardown();
}

static int64_t number_of(const char *text)
{
    struct db_query *q = tables_query(world.tables, text);
    int64_t number = -1;

    if (q == NULL)
        return number;
    if (db_step(q))
        number = db_int(q, 0);
    db_finish(q);
    return number;
}

static void passwords_of_an_earlier_tmail_are_sealed(void)
{
    size_t count = 99;

    setup();
    check_ok(route_secret_seal_stored(world.tables, world.secrets, &count), "none");
    check_number(count, 0);
    check(access(world.key, F_OK) != 0);
    sql("INSERT INTO routes (remote_host, smtp_auth_login, smtp_auth_passwd) VALUES ('deleted', 'me', 'deleted-to-find')");
    sql("DELETE FROM routes");
    sql("INSERT INTO routes (remote_host, smtp_auth_login, smtp_auth_passwd) VALUES ('r.example', 'me', 'first-to-find'),"
        " ('x.example', '', ''), ('y.example', NULL, NULL)");
    check(file_holds("to-find"));
    check_ok(route_secret_seal_stored(world.tables, world.secrets, &count), "seal");
    check_number(count, 1);
    sql("DELETE FROM routes WHERE remote_host <> 'r.example'");
    check_password("first-to-find");
    check(!file_holds("to-find"));
    check_number(number_of("SELECT count(*) FROM routes WHERE smtp_auth_passwd GLOB '{sealed}*'"), 1);
    check_ok(route_secret_seal_stored(world.tables, world.secrets, &count), "again");
    check_number(count, 0);
    check_password("first-to-find");
    teardown();
}

static void sealing_is_all_or_nothing(void)
{
    size_t count;

    setup();
    sql("INSERT INTO routes (remote_host, smtp_auth_login, smtp_auth_passwd) VALUES ('r', 'me', 'one'), ('bad', 'me', 'two')");
    sql("CREATE TRIGGER t BEFORE UPDATE ON routes WHEN new.remote_host = 'bad' BEGIN SELECT raise(ABORT, 'full'); END");
    check_number(route_secret_seal_stored(world.tables, world.secrets, &count).code, 451);
    check_number(number_of("SELECT count(*) FROM routes WHERE smtp_auth_passwd IN ('one', 'two')"), 2);
    sql("DROP TRIGGER t");
    secrets_free(&world.secrets);
    world.secrets = secrets_new("/nowhere/at/all/secret.key");
    check_refused(route_secret_seal_stored(world.tables, world.secrets, &count), "/nowhere/at/all/secret.key");
    check_number(number_of("SELECT count(*) FROM routes WHERE smtp_auth_passwd IN ('one', 'two')"), 2);
    teardown();
}

static void count_row(void *context, const struct route_row *r)
{
    check(r->password.length == 0);
    ++*(int *)context;
}

static void only_the_named_route_is_deleted(void)
{
    int count = 0;

    setup();
    check_ok(add("", "", "one.example", "r", 1), "add");
    check_ok(add("", "", "two.example", "r", 1), "add");
    check_refused(routes_del(world.tables, 0), "there is no route 0");
    check_refused(routes_del(world.tables, -1), "there is no route -1");
    check_refused(routes_del(world.tables, 3), "there is no route 3");
    check_ok(routes_list(world.tables, count_row, &count), "list");
    check_number(count, 2);
    check_ok(routes_del(world.tables, 1), "del");
    check_route("", "", "one.example", "none");
    check_route("", "", "two.example", "r");
    teardown();
}

/* Chosen by an administrator: its conditions do not count. */
static void a_route_by_its_id(void)
{
    struct arena arena;
    struct route route;

    setup();
    arena_init(&arena);
    check_ok(add("joe@one.example", "", "one.example", "first.example", 1), "add");
    check_ok(add("", "", "two.example", "second.example", 5), "add");
    sql("INSERT INTO routes (id, host) VALUES (9, 'nowhere.example')");
    check_number(world.directory.route(world.directory.self, 1, &arena, &route), ANSWER_YES);
    check_text(route.remote_host, "first.example");
    check_number(world.directory.route(world.directory.self, 2, &arena, &route), ANSWER_YES);
    check_text(route.remote_host, "second.example");
    check_number(route.priority, 5);
    check_number(world.directory.route(world.directory.self, 3, &arena, &route), ANSWER_NO);
    check_number(world.directory.route(world.directory.self, 0, &arena, &route), ANSWER_NO);
    check_number(world.directory.route(world.directory.self, 9, &arena, &route), ANSWER_NO); /* it has no next hop */
    sql("DROP TABLE routes");
    check_number(world.directory.route(world.directory.self, 1, &arena, &route), ANSWER_FAILED);
    arena_done(&arena);
    teardown();
}

static void rules_use_their_index(void)
{
    static const struct {
        const char *query, *index;
    } table[] = {
        {"EXPLAIN QUERY PLAN SELECT id FROM routes WHERE map_order IS NULL AND ifnull(user, '') = ?1 AND ifnull(mail_from, '') = ?2"
         " AND ifnull(nullif(host, ''), '*') = ?3", "routes_rule"},
        {"EXPLAIN QUERY PLAN SELECT map_order FROM routes WHERE map_order IS NOT NULL AND host = ?1"
         " AND ifnull(mail_from, '*') = ?2 ORDER BY map_order LIMIT 1", "routes_map "},
        {"EXPLAIN QUERY PLAN SELECT id FROM routes WHERE map_order = ?1", "routes_map_order"},
    };
    char plan[256];

    setup();
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct db_query *q = tables_query(world.tables, table[i].query);

        if (check(q != NULL && db_step(q))) {
            str_copy(db_str(q, 3), plan, sizeof plan);
            check_has(plan, table[i].index);
        }
        check(q != NULL && db_finish(q));
    }
    teardown();
}

static const struct test_case cases[] = {
    TEST_CASE(each_rule_in_its_turn),
    TEST_CASE(every_pair_of_rules),
    TEST_CASE(others_do_not_match),
    TEST_CASE(generic_rows_of_an_earlier_tmail),
    TEST_CASE(a_sender_needs_a_user),
    TEST_CASE(priorities_and_weights),
    TEST_CASE(map_takes_the_first_line),
    TEST_CASE(rows_are_copied_out),
    TEST_CASE(bad_routes_are_refused),
    TEST_CASE(passwords_are_stored_sealed),
    TEST_CASE(a_sealed_password_is_for_its_host_alone),
    TEST_CASE(rules_and_clients_are_copied_out),
    TEST_CASE(without_a_key_no_password_is_stored),
    TEST_CASE(passwords_of_an_earlier_tmail_are_sealed),
    TEST_CASE(sealing_is_all_or_nothing),
    TEST_CASE(only_the_named_route_is_deleted),
    TEST_CASE(a_route_by_its_id),
    TEST_CASE(rules_use_their_index),
};

int main(int argc, char **argv)
{
    return test_main(cases, TEST_COUNT(cases), argc, argv);
}

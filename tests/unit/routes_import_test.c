#include "test.h"

#include "directory/routes.h"
#include "directory/routes_import.h"

#include <stdlib.h>
#include <unistd.h>

static struct {
    char folder[64], path[96], key[96], error[512];
    struct tables *tables;
    struct secrets *secrets;
} world;

static void setup(void)
{
    snprintf(world.folder, sizeof world.folder, "/tmp/tmail-import-XXXXXX");
    if (mkdtemp(world.folder) == NULL)
        abort();
    snprintf(world.path, sizeof world.path, "%s/tmail.db", world.folder);
    snprintf(world.key, sizeof world.key, "%s/secret.key", world.folder);
    world.secrets = secrets_new(world.key);
    world.tables = tables_open(world.path, world.error, sizeof world.error);
    check(world.tables != NULL);
}

static void teardown(void)
{
    tables_close(&world.tables);
    secrets_free(&world.secrets);
    unlink(world.key);
    unlink(world.path);
    rmdir(world.folder);
}

static bool read_texts(struct routes_import *r, struct str routes, struct str map, const char *ip)
{
    const struct import_file files[IMPORT_PARTS] = {
        [IMPORT_ROUTES] = {"routes", routes},
        [IMPORT_ROUTEMAP] = {"dir/routemap", map},
        [IMPORT_DEFAULT_IP] = {ip != NULL ? "defaultoutgoingip" : NULL, str_of(ip)},
    };

    *r = (struct routes_import){0};
    return routes_import_read(r, files);
}

static void add_row(void *context, const struct route_row *r)
{
    buf_print(context, "%d %.*s>%.*s %.*s:%d p%d l=%.*s u=%.*s\n", (int)r->map_order, STR_ARG(r->mail_from), STR_ARG(r->host),
              STR_ARG(r->remote_host), (int)r->port, (int)r->priority, STR_ARG(r->local_ips), STR_ARG(r->login));
}

static void check_rows(const char *expected)
{
    struct buf b = {0};
    struct status s = routes_list(world.tables, add_row, &b);

    check(status_is_ok(&s));
    check_text(buf_text(&b), expected);
    buf_done(&b);
}

static void import(const char *routes, const char *map, const char *ip)
{
    struct routes_import r;
    struct status s;

    if (!check(read_texts(&r, str_of(routes), str_of(map), ip)))
        printf("# %s\n", buf_text(&r.complaints));
    s = routes_import_store(world.tables, world.secrets, &r);
    check(status_is_ok(&s));
    routes_import_done(&r);
}

static void documented_examples(void)
{
    setup();
    import("# NAME;LOCALS;REMOTES;USER;PASS\n\nroute1;;;;\n  route2;1.1.1.1;2.2.2.2:465;admin;123456\r\nroute3;1.1.1.1;mx&3.3.3.3:587;;\n"
           "route4;1.1.1.1|2.2.2.2;;;\nroute5;1.1.1.1&2.2.2.2&3.3.3.3&4.4.4.4;mx&6.6.6.6:587;;",
           "domaine1.com;domaine2.com;route3\nDomaine1.COM;*;route1\n*;domaine2.com;route2\nbounce;*;route5\n*;*;route4\n",
           "9.9.9.9\nrest\n");
    check_rows("0 domaine1.com>domaine2.com mx:25 p1 l=1.1.1.1 u=\n"
               "0 domaine1.com>domaine2.com 3.3.3.3:587 p2 l=1.1.1.1 u=\n"
               "1 domaine1.com>* mx:25 p1 l=9.9.9.9 u=\n"
               "2 >domaine2.com 2.2.2.2:465 p1 l=1.1.1.1 u=admin\n"
               "3 bounce>* mx:25 p1 l=1.1.1.1&2.2.2.2&3.3.3.3&4.4.4.4 u=\n"
               "3 bounce>* 6.6.6.6:587 p2 l=1.1.1.1&2.2.2.2&3.3.3.3&4.4.4.4 u=\n"
               "4 >* mx:25 p1 l=1.1.1.1|2.2.2.2 u=\n");
    teardown();
}

static void lists_become_priorities_and_weights(void)
{
    setup();
    import("turns;;big.example:25|big.example:25|small.example:2525;;\norder;[::1]&2001:db8::1;[2001:db8::25]:587&mx&Last.Example:26;;\n",
           "a.example;*;turns\nb.example;*;order\n", NULL);
    check_rows("0 a.example>* big.example:25 p1 l= u=\n"
               "0 a.example>* big.example:25 p1 l= u=\n"
               "0 a.example>* small.example:2525 p1 l= u=\n"
               "1 b.example>* 2001:db8::25:587 p1 l=::1&2001:db8::1 u=\n"
               "1 b.example>* mx:25 p2 l=::1&2001:db8::1 u=\n"
               "1 b.example>* last.example:26 p3 l=::1&2001:db8::1 u=\n");
    teardown();
}

static void a_later_import_replaces_an_earlier(void)
{
    const struct route_row own = {.host = STR("own.example"), .remote_host = STR("r.example"), .port = 25, .priority = 1};
    struct status s;

    setup();
    s = routes_add(world.tables, world.secrets, &own);
    check(status_is_ok(&s));
    import("one;;one.example:25;;\n", "*;*;one\n*;x.example;one\n", NULL);
    import("two;;two.example:25;;\n", "*;*;two\n", NULL);
    check_rows("-1 >own.example r.example:25 p1 l= u=\n0 >* two.example:25 p1 l= u=\n");
    import("", "", NULL);
    check_rows("-1 >own.example r.example:25 p1 l= u=\n");
    teardown();
}

static const char good_route[] = "r;;;;\n";

static void bad_lines_are_named(void)
{
    static const struct {
        const char *routes, *map, *ip, *complaint;
    } table[] = {
        {"a;b", "", NULL, "routes:1: wrong number of fields (expected NAME;"},
        {"\n#x\na;;;;;", "", NULL, "routes:3: wrong number of fields"},
        {";;;;", "", NULL, "routes:1: bad name (expected letters and digits)"},
        {"a b;;;;", "", NULL, "routes:1: \"a b\": bad name"},
        {"a-b;;;;", "", NULL, "routes:1: \"a-b\": bad name"},
        {"caf\xc3\xa9;;;;", "", NULL, "bad name"},
        {"default;;;;", "", NULL, "routes:1: \"default\": the name is reserved"},
        {"a;;;;\nb;;;;\na;;;;", "", NULL, "routes:3: \"a\": a route of this name stands above"},
        {"a;1.1.1.1&2.2.2.2|3.3.3.3;;;", "", NULL, "routes:1: \"1.1.1.1&2.2.2.2|3.3.3.3\": mixed & and |"},
        {"a;1.1.1.1&;;;", "", NULL, "empty item"},
        {"a;1.1.1;;;", "", NULL, "no IP address (expected such as"},
        {"a;1.1.1.1:25;;;", "", NULL, "no IP address"},
        {"a;;1.1.1.1;;", "", NULL, "without a port (expected HOST:PORT"},
        {"a;;1.1.1.1:0;;", "", NULL, "bad port (expected 1 to 65535)"},
        {"a;;1.1.1.1:65536;;", "", NULL, "bad port"},
        {"a;;1.1.1.1:-1;;", "", NULL, "bad port"},
        {"a;;1.1.1.1:2 5;;", "", NULL, "bad port"},
        {"a;;1.1.1.1:;;", "", NULL, "bad port"},
        {"a;;:25;;", "", NULL, "bad remote host"},
        {"a;;1.1.1.1:25&b_:26|c:27;;", "", NULL, "mixed & and |"},
        {"a;;mx|1.1.1.1:25;;", "", NULL, "mx in a list that takes turns"},
        {"a;;1.1.1.1:25|MX;;", "", NULL, "mx in a list that takes turns"},
        {"a;;mx:25;;", "", NULL, "mx with a port"},
        {"a;;::1:25;;", "", NULL, "IPv6 address without brackets"},
        {"a;;[::1];;", "", NULL, "without a port"},
        {"a;;[::g]:25;;", "", NULL, "bad remote host"},
        {"a;;x y:25;;", "", NULL, "bad remote host"},
        {"a;;x.example:25&&y.example:25;;", "", NULL, "empty item"},
        {"a;;;user;", "", NULL, "routes:1: USERNAME without PASSWORD"},
        {"a;;;;pass", "", NULL, "USERNAME without PASSWORD"},
        {good_route, "*;*", NULL, "dir/routemap:1: wrong number of fields (expected SENDERDOMAIN;RCPTDOMAIN;ROUTE)"},
        {good_route, "*;*;r;", NULL, "dir/routemap:1: wrong number of fields"},
        {good_route, "\n\n*;*;other", NULL, "dir/routemap:3: \"other\": unknown route (expected a NAME of the file routes)"},
        {good_route, "*;*;R", NULL, "unknown route"},
        {good_route, "*;*;default", NULL, "unknown route"},
        {good_route, "*;*;", NULL, "dir/routemap:1: unknown route"},
        {good_route, "a@x.example;*;r", NULL, "dir/routemap:1: \"a@x.example\": bad sender (expected a domain, * or bounce)"},
        {good_route, ";*;r", NULL, "bad sender"},
        {good_route, "*.x.example;*;r", NULL, "bad sender"},
        {good_route, "*;%;r", NULL, "bad destination (expected a domain or *)"},
        {good_route, "*;;r", NULL, "bad destination"},
        {good_route, "*;\x1b[31m;r", NULL, "\"?[31m\": bad destination"},
        {good_route, "", "", "defaultoutgoingip:1: no address (expected an IP address)"},
        {good_route, "", "1.1.1.1&2.2.2.2", "defaultoutgoingip:1: \"1.1.1.1&2.2.2.2\": bad address"},
        {good_route, "", "\n#c\nhere", "defaultoutgoingip:3: \"here\": bad address"},
    };

    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct routes_import r;

        check(!read_texts(&r, str_of(table[i].routes), str_of(table[i].map), table[i].ip));
        if (!check_has(buf_text(&r.complaints), table[i].complaint) || !check_number(r.bad, 1))
            printf("# %s | %s\n", table[i].routes, table[i].map);
        routes_import_done(&r);
    }
}

static void all_bad_lines_are_told_up_to_a_hundred(void)
{
    struct routes_import r;
    struct buf map = {0};

    check(!read_texts(&r, STR("a;x;y;z;\n"), STR("a b;c d;a\n"), NULL));
    check_number(r.bad, 5);
    routes_import_done(&r);
    for (int i = 0; i < 250; i++)
        buf_add_text(&map, "*;*;none\n");
    check(!read_texts(&r, str_of(good_route), buf_str(&map), NULL));
    check_number(r.bad, 250);
    check_has(buf_text(&r.complaints), "dir/routemap:100: ");
    check(strstr(buf_text(&r.complaints), "dir/routemap:101: ") == NULL);
    check_has(buf_text(&r.complaints), "and 150 more\n");
    routes_import_done(&r);
    buf_done(&map);
}

static void passwords_are_never_told(void)
{
    static const char *const routes[] = {"a;;;hunter;hunter2;", "a;;;hunter2;", "a;;;;hunter2", "a b;x;y;hunter;hunter2",
                                         "a;;hunter;hunter2"};

    for (size_t i = 0; i < sizeof routes / sizeof routes[0]; i++) {
        struct routes_import r;

        check(!read_texts(&r, str_of(routes[i]), STR(""), NULL));
        check(strstr(buf_text(&r.complaints), "hunter2") == NULL);
        routes_import_done(&r);
    }
}

static void blame_falls_on_the_bad_line_alone(void)
{
    struct routes_import r;

    check(!read_texts(&r, STR("a;b\n"), STR("*;*;a\n"), NULL));
    check_number(r.bad, 1);
    routes_import_done(&r);
}

static void any_bytes_are_survived(void)
{
    struct routes_import r;
    unsigned seed = 1;

    for (int round = 0; round < 2000; round++) {
        static const char alphabet[] = "ab1:;&|[]*.#\n\r\0 mx\xc3\xa9%@";
        char text[120], map[60];

        for (size_t i = 0; i < sizeof text; i++)
            text[i] = alphabet[(seed = seed * 1103515245 + 12345) / 65536 % (sizeof alphabet - 1)];
        memcpy(map, text + 30, sizeof map);
        read_texts(&r, (struct str){text, sizeof text}, (struct str){map, sizeof map}, NULL);
        check((r.bad == 0) == (r.complaints.length == 0));
        routes_import_done(&r);
    }
}

static void long_lists_are_bounded(void)
{
    struct buf routes = {0};
    struct routes_import r;

    buf_add_text(&routes, "a;;x:1");
    for (int i = 1; i < 100; i++)
        buf_add_text(&routes, "|x:1");
    buf_add_text(&routes, ";;\n");
    check(read_texts(&r, buf_str(&routes), STR("*;*;a"), NULL));
    routes_import_done(&r);
    buf_clear(&routes);
    buf_add_text(&routes, "a;;x:1");
    for (int i = 1; i < 101; i++)
        buf_add_text(&routes, "|x:1");
    buf_add_text(&routes, ";;\n");
    check(!read_texts(&r, buf_str(&routes), STR("*;*;a"), NULL));
    check_has(buf_text(&r.complaints), "too many items");
    routes_import_done(&r);
    buf_done(&routes);
}

static void files_are_known_by_their_names(void)
{
    enum import_part part;

    check(routes_import_part("routes", &part) && part == IMPORT_ROUTES);
    check(routes_import_part("/var/qmail/control/routemap", &part) && part == IMPORT_ROUTEMAP);
    check(routes_import_part("./defaultoutgoingip", &part) && part == IMPORT_DEFAULT_IP);
    check(!routes_import_part("routes.bak", &part));
    check(!routes_import_part("routes/", &part));
    check(!routes_import_part("", &part));
}

static void passwords_are_stored_sealed(void)
{
    struct str stored;
    struct db_query *q;

    setup();
    import("one;;one.example:25&two.example:25;me;123456\ntwo;;two.example:25;;\n", "*;*;one\n*;x.example;two\n", NULL);
    q = tables_query(world.tables, "SELECT DISTINCT smtp_auth_passwd FROM routes WHERE smtp_auth_login = 'me'");
    for (int row = 0; row < 2; row++) {
        char host[16];
        struct buf context = {0}, plain = {0};

        check(q != NULL && db_step(q));
        stored = db_str(q, 0);
        check(secrets_is_sealed(stored));
        snprintf(host, sizeof host, row == 0 ? "one.example" : "two.example");
        secrets_route_context(str_of(host), STR("me"), &context);
        check(secrets_open(world.secrets, buf_str(&context), stored, &plain, world.error, sizeof world.error));
        check_str(buf_str(&plain), STR("123456"));
        buf_done(&plain);
        buf_done(&context);
    }
    check(q != NULL && !db_step(q) && db_finish(q));
    teardown();
}

static void without_a_key_nothing_is_stored(void)
{
    struct routes_import r;
    struct status s;

    setup();
    secrets_free(&world.secrets);
    world.secrets = secrets_new("/nowhere/at/all/secret.key");
    import("one;;one.example:25;;\n", "*;*;one\n", NULL);
    check(read_texts(&r, STR("two;;two.example:25;me;123456\n"), STR("*;*;two\n"), NULL));
    s = routes_import_store(world.tables, world.secrets, &r);
    check_number(s.code, 550);
    check_has(s.text, "/nowhere/at/all/secret.key: the key for stored passwords cannot be made: No such file or directory");
    check_rows("0 >* one.example:25 p1 l= u=\n");
    routes_import_done(&r);
    teardown();
}

static void failed_store_changes_nothing(void)
{
    struct routes_import r;
    struct status s;

    setup();
    import("one;;one.example:25;;\n", "*;*;one\n", NULL);
    check(db_run(tables_db(world.tables), "CREATE TRIGGER t BEFORE INSERT ON routes WHEN new.host = 'bad.example'"
                                          " BEGIN SELECT raise(ABORT, 'full'); END"));
    check(read_texts(&r, STR("two;;two.example:25;;\n"), STR("*;*;two\n*;bad.example;two\n"), NULL));
    s = routes_import_store(world.tables, world.secrets, &r);
    check_number(s.code, 451);
    check_rows("0 >* one.example:25 p1 l= u=\n");
    routes_import_done(&r);
    teardown();
}

static const struct test_case cases[] = {
    TEST_CASE(documented_examples),
    TEST_CASE(lists_become_priorities_and_weights),
    TEST_CASE(a_later_import_replaces_an_earlier),
    TEST_CASE(bad_lines_are_named),
    TEST_CASE(all_bad_lines_are_told_up_to_a_hundred),
    TEST_CASE(passwords_are_never_told),
    TEST_CASE(blame_falls_on_the_bad_line_alone),
    TEST_CASE(any_bytes_are_survived),
    TEST_CASE(long_lists_are_bounded),
    TEST_CASE(files_are_known_by_their_names),
    TEST_CASE(passwords_are_stored_sealed),
    TEST_CASE(without_a_key_nothing_is_stored),
    TEST_CASE(failed_store_changes_nothing),
};

int main(int argc, char **argv)
{
    return test_main(cases, TEST_COUNT(cases), argc, argv);
}

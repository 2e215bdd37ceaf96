#include "test.h"

#include "directory/directory.h"

#include "base/clock.h"
#include "base/db.h"
#include "base/thread.h"
#include "directory/password.h"
#include "directory/rcpthosts.h"
#include "directory/relayips.h"
#include "directory/routes.h"
#include "directory/schema.h"
#include "directory/tables.h"
#include "directory/users.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* A database of its own for each case. */
static struct {
    char folder[64], path[96], error[512];
    struct tables *tables;
    struct directory directory;
} world;

static void make_folder(void)
{
    snprintf(world.folder, sizeof world.folder, "/tmp/tmail-directory-XXXXXX");
    if (mkdtemp(world.folder) == NULL)
        abort();
    snprintf(world.path, sizeof world.path, "%s/tmail.db", world.folder);
}

static void open_world(void)
{
    world.tables = tables_open(world.path, world.error, sizeof world.error);
    check(world.tables != NULL);
    check(directory_open_sql(&world.directory, world.path, world.error, sizeof world.error));
}

static void setup(void)
{
    make_folder();
    open_world();
}

static void teardown(void)
{
    static const char *const tails[] = {"", "-wal", "-shm", "-journal"};

    directory_close(&world.directory);
    tables_close(&world.tables);
    for (size_t i = 0; i < 4; i++) {
        char path[128];

        snprintf(path, sizeof path, "%s%s", world.path, tails[i]);
        unlink(path);
    }
    rmdir(world.folder);
}

static void sql(const char *text)
{
    if (!check(db_run(tables_db(world.tables), text)))
        printf("# %s: %s\n", text, db_error(tables_db(world.tables)));
}

static void before_us(const char *text)
{
    struct db *db = db_open(world.path, DB_CREATE, 100, world.error, sizeof world.error);

    if (check(db != NULL) && !check(db_run(db, text)))
        printf("# %s\n", db_error(db));
    db_close(&db);
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

static void text_of(const char *text, char *to, size_t size)
{
    struct db_query *q = tables_query(world.tables, text);

    to[0] = '\0';
    if (q == NULL)
        return;
    if (db_step(q))
        str_copy(db_str(q, 0), to, size);
    db_finish(q);
}

static enum answer recipient(const char *local, const char *domain)
{
    struct arena arena = {0};
    struct local found;
    enum answer answer = world.directory.local(world.directory.self, str_of(local), str_of(domain), '+', &arena, &found);

    arena_done(&arena);
    return answer;
}

static enum answer rcpthost(const char *domain)
{
    struct rcpthost host;

    return world.directory.rcpthost(world.directory.self, str_of(domain), &host);
}

static enum answer relayip(const char *text)
{
    struct address a;

    return address_parse(&a, str_of(text)) ? world.directory.relayip(world.directory.self, &a) : ANSWER_FAILED;
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

static struct status add_user(const char *login, bool mailbox, bool catchall)
{
    const struct new_user u = {
        .login = str_of(login),
        .password = STR("secret"),
        .mailbox = mailbox,
        .catchall = catchall,
        .default_quota = 200 << 20,
        .home_base = STR("/var/mail/"),
    };

    return users_add(world.tables, &u);
}

/* --- the file --- */

/* Eight processes open the same file at the same time. */
static void open_by_many(void)
{
    enum { PROCESSES = 8 };
    pid_t pids[PROCESSES];

    for (int i = 0; i < PROCESSES; i++) {
        pids[i] = fork();
        if (pids[i] == 0) {
            struct tables *t = tables_open(world.path, world.error, sizeof world.error);
            const bool opened = t != NULL;

            if (!opened)
                fprintf(stderr, "# %s\n", world.error);
            tables_close(&t);
            _exit(opened ? 0 : 1);
        }
    }
    for (int i = 0; i < PROCESSES; i++) {
        int state;

        check(waitpid(pids[i], &state, 0) == pids[i] && state == 0);
    }
}

static void all_creators_succeed(void)
{
    for (int round = 0; round < 20; round++) {
        make_folder();
        open_by_many();
        teardown();
    }
}

static void new_database_is_private(void)
{
    struct stat st;
    mode_t mask;

    make_folder();
    mask = umask(0);
    open_world();
    umask(mask);
    check(stat(world.path, &st) == 0);
    check_number(st.st_mode & 0777, 0600);
    check_number(number_of("PRAGMA user_version"), SCHEMA_VERSION);
    teardown();
}

static void newer_schema_is_refused(void)
{
    make_folder();
    before_us("CREATE TABLE users (id integer PRIMARY KEY); PRAGMA user_version=99");
    check(tables_open(world.path, world.error, sizeof world.error) == NULL);
    check_has(world.error, "newer tmail");
    check(!directory_open_sql(&world.directory, world.path, world.error, sizeof world.error));
    check_has(world.error, "schema is 99");
    teardown();
}

static void missing_folder_is_told(void)
{
    check(!directory_open_sql(&world.directory, "/nowhere/at/all/tmail.db", world.error, sizeof world.error));
    check_has(world.error, "/nowhere/at/all/tmail.db: cannot create it: No such file or directory");
}

/* As gorm made it for the tmail before this one. */
static const char predecessor[] =
    "PRAGMA journal_mode=DELETE;"
    "CREATE TABLE \"users\" (\"id\" integer primary key autoincrement,\"login\" varchar(255) UNIQUE,\"passwd\" varchar(255) NOT NULL,"
    "\"dove_passwd\" varchar(255),\"active\" char(1) DEFAULT 'Y',\"auth_relay\" bool DEFAULT false,\"have_mailbox\" bool DEFAULT false,"
    "\"is_catchall\" bool DEFAULT false,\"mailbox_quota\" varchar(255),\"home\" varchar(255));"
    "CREATE TABLE \"aliases\" (\"id\" integer primary key autoincrement,\"alias\" varchar(255) UNIQUE,\"deliver_to\" varchar(255),"
    "\"pipe\" varchar(255),\"is_dom_alias\" bool DEFAULT false,\"is_mini_list\" bool DEFAULT false);"
    "CREATE TABLE \"rcpt_hosts\" (\"id\" integer primary key autoincrement,\"hostname\" varchar(255) UNIQUE,"
    "\"is_local\" bool DEFAULT false,\"is_alias\" bool DEFAULT false);"
    "CREATE UNIQUE INDEX idx_rcpthots_hostname ON \"rcpt_hosts\"(hostname);"
    "CREATE TABLE \"relay_ip_oks\" (\"id\" integer primary key autoincrement,\"ip\" varchar(255) UNIQUE);"
    "CREATE UNIQUE INDEX idx_relay_ok_ips_ip ON \"relay_ip_oks\"(\"ip\");"
    "CREATE TABLE \"mailboxes\" (\"id\" integer primary key autoincrement,\"local_part\" varchar(255),\"domain_part\" varchar(255));"
    "CREATE TABLE \"routes\" (\"id\" integer primary key autoincrement,\"host\" varchar(255),\"local_ip\" varchar(255),"
    "\"remote_host\" varchar(255),\"remote_port\" bigint,\"priority\" bigint,\"smtp_auth_login\" varchar(255),"
    "\"smtp_auth_passwd\" varchar(255),\"mail_from\" varchar(255),\"user\" varchar(255));"
    "CREATE INDEX idx_route_host ON \"routes\"(\"host\");"
    "INSERT INTO users VALUES (1,'joe@example.com','$2a$10$x','$6$y','N',1,1,0,'200M','/home/e/example.com/j/joe');"
    "INSERT INTO users VALUES (2,'all@example.com','$2a$10$x','$6$y','Y',0,1,1,'1G','/home/e/example.com/a/all');"
    "INSERT INTO users VALUES (3,'relay','$2a$10$x','','Y',1,0,0,'','');"
    "INSERT INTO aliases VALUES (1,'sales@example.com','joe@example.com','',0,0);"
    "INSERT INTO aliases VALUES (2,'example.org','example.com','',1,0);"
    "INSERT INTO rcpt_hosts VALUES (1,'example.com',1,0),(2,'example.org',1,1),(3,'B\xc3\xbc""cher.example',0,0),(4,'not a domain',0,0);"
    "INSERT INTO relay_ip_oks VALUES (1,'192.0.2.7'),(2,'2001:0db8::0001'),(3,'nonsense');"
    "INSERT INTO routes VALUES (1,'example.net','','relay.example',2525,1,'','','','');"
    "INSERT INTO routes VALUES (2,'*','192.0.2.1|192.0.2.2','premium.example',0,NULL,'me','pass',NULL,'Toorop@Tmail.io');"
    "INSERT INTO routes VALUES (3,NULL,NULL,'bydomain.example',25,1,NULL,NULL,'Tmail.IO','tmail.io');";

static enum answer find_route(const char *user, const char *sender, const char *domain, char *host, size_t size)
{
    const struct route_question question = {.user = str_of(user), .sender = str_of(sender), .domain = str_of(domain)};
    struct arena arena;
    struct route *routes;
    size_t count;
    enum answer answer;

    arena_init(&arena);
    answer = world.directory.routes(world.directory.self, &question, &arena, &routes, &count);
    snprintf(host, size, "%s", count > 0 ? routes[0].remote_host : "");
    arena_done(&arena);
    return answer;
}

static void predecessors_database_is_taken_over(void)
{
    char text[256];

    make_folder();
    before_us(predecessor);
    open_world();
    check_number(number_of("PRAGMA user_version"), SCHEMA_VERSION);
    check_number(number_of("SELECT count(*) FROM users WHERE passwd = '$2a$10$x'"), 3);
    check_number(rcpthost("xn--bcher-kva.example"), ANSWER_YES);
    check_number(number_of("SELECT count(*) FROM rcpt_hosts WHERE hostname = 'not a domain'"), 1);
    check_number(recipient("joe", "example.com"), ANSWER_YES);
    check_number(recipient("Sales", "example.com"), ANSWER_YES);
    check_number(recipient("joe", "example.org"), ANSWER_YES);
    check_number(recipient("anybody", "example.com"), ANSWER_YES);
    check_number(relayip("192.0.2.7"), ANSWER_YES);
    check_number(relayip("192.0.2.8"), ANSWER_NO);
    check_number(relayip("2001:db8::1"), ANSWER_YES);
    text_of("SELECT ip FROM relay_ip_oks WHERE id = 2", text, sizeof text);
    check_text(text, "2001:db8::1");
    check_number(find_route("", "a@b.example", "example.net", text, sizeof text), ANSWER_YES);
    check_text(text, "relay.example");
    check_number(find_route("toorop@tmail.io", "a@b.example", "x.example", text, sizeof text), ANSWER_YES);
    check_text(text, "premium.example");
    check_number(find_route("other@tmail.io", "A@tmail.io", "x.example", text, sizeof text), ANSWER_YES);
    check_text(text, "bydomain.example");
    check_number(number_of("SELECT count(*) FROM routes WHERE smtp_auth_passwd = 'pass' AND tls IS NULL AND oauth IS NULL"), 1);
    check_number(number_of("SELECT count(*) FROM users WHERE scram_sha256 IS NULL AND cram_md5 IS NULL"), 3);
    teardown();
}

static void many_may_take_it_over_at_once(void)
{
    for (int round = 0; round < 10; round++) {
        make_folder();
        before_us(predecessor);
        open_by_many();
        open_world();
        check_number(number_of("SELECT count(*) FROM relay_ip_oks WHERE first_bytes IS NOT NULL"), 2);
        teardown();
    }
}

static void migration_runs_once(void)
{
    make_folder();
    before_us(predecessor);
    open_world();
    sql("UPDATE relay_ip_oks SET first_bytes = NULL WHERE id = 1");
    directory_close(&world.directory);
    tables_close(&world.tables);
    open_world();
    check_number(number_of("SELECT count(*) FROM relay_ip_oks WHERE first_bytes IS NULL"), 2);
    teardown();
}

/* The schema that had neither logins nor TLS. */
static const char version_1[] =
    "PRAGMA journal_mode=WAL;"
    "CREATE TABLE users (id integer PRIMARY KEY AUTOINCREMENT, login varchar(255) UNIQUE, passwd varchar(255) NOT NULL,"
    " dove_passwd varchar(255), active char(1) DEFAULT 'Y', auth_relay bool DEFAULT 0, have_mailbox bool DEFAULT 0,"
    " is_catchall bool DEFAULT 0, mailbox_quota varchar(255), home varchar(255));"
    "CREATE TABLE aliases (id integer PRIMARY KEY AUTOINCREMENT, alias varchar(255) UNIQUE, deliver_to text, pipe text,"
    " is_dom_alias bool DEFAULT 0, is_mini_list bool DEFAULT 0);"
    "CREATE TABLE rcpt_hosts (id integer PRIMARY KEY AUTOINCREMENT, hostname varchar(255) UNIQUE,"
    " is_local bool DEFAULT 0, is_alias bool DEFAULT 0);"
    "CREATE TABLE relay_ip_oks (id integer PRIMARY KEY AUTOINCREMENT, ip varchar(255) UNIQUE, first_bytes blob, last_bytes blob);"
    "CREATE TABLE routes (id integer PRIMARY KEY AUTOINCREMENT, host varchar(255), local_ip varchar(255),"
    " remote_host varchar(255), remote_port bigint, priority bigint, smtp_auth_login varchar(255), smtp_auth_passwd varchar(255),"
    " mail_from varchar(255), user varchar(255), map_order integer);"
    "CREATE INDEX users_domain ON users (substr(login, instr(login, '@') + 1)) WHERE is_catchall;"
    "CREATE INDEX relay_ip_oks_range ON relay_ip_oks (first_bytes, last_bytes);"
    "CREATE INDEX routes_rule ON routes (ifnull(user, ''), ifnull(mail_from, ''), ifnull(nullif(host, ''), '*')) WHERE map_order IS NULL;"
    "CREATE INDEX routes_map ON routes (host, ifnull(mail_from, '*'), map_order) WHERE map_order IS NOT NULL;"
    "CREATE INDEX routes_map_order ON routes (map_order) WHERE map_order IS NOT NULL;"
    "INSERT INTO users VALUES (1,'joe@example.com','$2a$10$x','$6$y','Y',1,1,0,'200M','/home/e/example.com/j/joe');"
    "INSERT INTO rcpt_hosts VALUES (1,'example.com',1,0);"
    "INSERT INTO relay_ip_oks VALUES (1,'192.0.2.7',NULL,NULL);" /* not filled again */
    "INSERT INTO routes VALUES (1,'example.net',NULL,'relay.example',25,1,'me','password',NULL,NULL,NULL);"
    "PRAGMA user_version=1;";

static void the_first_version_is_taken_over(void)
{
    char text[256];

    make_folder();
    before_us(version_1);
    open_by_many();
    open_world();
    check_number(number_of("PRAGMA user_version"), SCHEMA_VERSION);
    check_number(number_of("SELECT count(*) FROM users WHERE passwd = '$2a$10$x' AND scram_sha256 IS NULL AND cram_md5 IS NULL"), 1);
    check_number(number_of("SELECT count(*) FROM routes WHERE smtp_auth_passwd = 'password' AND tls IS NULL AND oauth IS NULL"), 1);
    check_number(number_of("SELECT count(*) FROM user_senders"), 0);
    check_number(number_of("SELECT count(*) FROM oauth_clients"), 0);
    check_number(number_of("SELECT count(*) FROM relay_ip_oks WHERE first_bytes IS NULL"), 1);
    check_number(recipient("joe", "example.com"), ANSWER_YES);
    check_number(find_route("", "a@b.example", "example.net", text, sizeof text), ANSWER_YES);
    check_text(text, "relay.example");
    teardown();
}

static void the_version_without_tls_policies_is_taken_over(void)
{
    setup();
    directory_close(&world.directory);
    tables_close(&world.tables);
    before_us("INSERT INTO oauth_clients (name, token_url, client_id) VALUES ('kept', 'https://token.example/', 'me');"
              "DROP TABLE sts_policies; DROP TABLE tls_results; DROP TABLE tls_reports; DROP TABLE limits;"
              "PRAGMA user_version=2;");
    open_by_many();
    open_world();
    check_number(number_of("PRAGMA user_version"), SCHEMA_VERSION);
    check_number(number_of("SELECT count(*) FROM oauth_clients"), 1);
    check_number(number_of("SELECT count(*) FROM sts_policies"), 0);
    check_number(number_of("SELECT count(*) FROM tls_results"), 0);
    check_number(number_of("SELECT count(*) FROM tls_reports"), 0);
    teardown();
}

/* The columns of TABLE, in the order of their names. */
static void columns_of(const char *table, char *to, size_t size)
{
    char query[256];
    struct db_query *q;

    to[0] = '\0';
    snprintf(query, sizeof query,
             "SELECT group_concat(name || ' ' || type, ', ') FROM (SELECT name, type FROM pragma_table_info('%s') ORDER BY name)", table);
    q = db_prepare(tables_db(world.tables), query);
    if (check(q != NULL) && db_step(q))
        str_copy(db_str(q, 0), to, size);
    check(q != NULL && db_finish(q));
}

static void all_ways_lead_to_one_schema(void)
{
    static const char *const tables[] = {"users", "aliases", "rcpt_hosts", "relay_ip_oks", "routes", "user_senders", "oauth_clients",
                                         "sts_policies", "tls_results", "tls_reports"};
    enum { TABLES = sizeof tables / sizeof tables[0] };
    static char fresh[TABLES][1024], migrated[1024];
    int64_t indexes;

    setup();
    for (int i = 0; i < TABLES; i++)
        columns_of(tables[i], fresh[i], sizeof fresh[i]);
    indexes = number_of("SELECT count(*) FROM sqlite_schema WHERE type = 'index' AND name IN ('users_domain', 'relay_ip_oks_range',"
                        " 'routes_rule', 'routes_map', 'routes_map_order', 'routes_oauth')");
    check_number(indexes, 6);
    teardown();
    make_folder();
    before_us(version_1);
    open_world();
    for (int i = 0; i < TABLES; i++) {
        columns_of(tables[i], migrated, sizeof migrated);
        check_text(migrated, fresh[i]);
    }
    check_number(number_of("SELECT count(*) FROM sqlite_schema WHERE type = 'index' AND name IN ('users_domain', 'relay_ip_oks_range',"
                           " 'routes_rule', 'routes_map', 'routes_map_order', 'routes_oauth')"), indexes);
    teardown();
}

static void a_migration_that_fails_changes_nothing(void)
{
    make_folder();
    before_us(version_1);
    before_us("CREATE TABLE oauth_clients (x)");
    check(tables_open(world.path, world.error, sizeof world.error) == NULL);
    check_has(world.error, "cannot make the tables");
    before_us("DROP TABLE oauth_clients");
    open_world();
    check_number(number_of("PRAGMA user_version"), SCHEMA_VERSION);
    check_number(number_of("SELECT count(*) FROM pragma_table_info('users') WHERE name = 'scram_sha256'"), 1);
    teardown();
}

static void older_tables_get_their_columns(void)
{
    make_folder();
    before_us("CREATE TABLE users (id integer primary key autoincrement, login varchar(255), passwd varchar(255) NOT NULL);"
              "INSERT INTO users VALUES (1, 'old@example.com', 'x')");
    open_world();
    check_number(number_of("SELECT count(*) FROM users WHERE active = 'Y' AND NOT have_mailbox"), 1);
    check_number(recipient("old", "example.com"), ANSWER_NO);
    teardown();
}

static void dovecots_queries_work(void)
{
    char text[512];

    setup();
    check_ok(add_user("Joe@Example.com", true, false), "user");
    text_of("SELECT dove_passwd AS password FROM users WHERE login = 'joe@example.com' AND active = 'Y'", text, sizeof text);
    check(strncmp(text, "$6$", 3) == 0);
    check_number(password_matches(STR("secret"), text), ANSWER_YES);
    text_of("SELECT home, 5000 AS uid, 5000 AS gid FROM users WHERE login = 'joe@example.com'", text, sizeof text);
    check_text(text, "/var/mail/e/example.com/j/joe");
    text_of("SELECT '*:bytes=' || mailbox_quota AS quota_rule FROM users WHERE login = 'joe@example.com'", text, sizeof text);
    check_text(text, "*:bytes=200M");
    teardown();
}

/* --- rcpthosts --- */

static void rcpthosts_are_added_and_deleted(void)
{
    struct rcpthost host;

    setup();
    check_number(rcpthost("example.com"), ANSWER_NO);
    check_ok(rcpthosts_add(world.tables, STR("Example.COM."), false), "add");
    check_number(world.directory.rcpthost(world.directory.self, STR("example.com"), &host), ANSWER_YES);
    check(!host.is_local && !host.is_alias);
    check_refused(rcpthosts_add(world.tables, STR("example.com"), true), "already in rcpthosts, as a remote domain");
    check_ok(rcpthosts_add(world.tables, STR("m\xc3\xbcnchen.example"), true), "add");
    check_number(world.directory.rcpthost(world.directory.self, STR("xn--mnchen-3ya.example"), &host), ANSWER_YES);
    check(host.is_local);
    check_ok(rcpthosts_del(world.tables, STR("EXAMPLE.com")), "del");
    check_number(rcpthost("example.com"), ANSWER_NO);
    check_refused(rcpthosts_del(world.tables, STR("example.com")), "not in rcpthosts");
    teardown();
}

static void bad_domains_are_refused(void)
{
    static const char *const bad[] = {"", "a b", "exa%mple.com", "-x.example", "a..b", "x'y", "*", "joe@example.com", "a/b"};

    setup();
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        check_refused(rcpthosts_add(world.tables, str_of(bad[i]), false), "is no domain");
    check_number(number_of("SELECT count(*) FROM rcpt_hosts"), 0);
    teardown();
}

static void nothing_is_a_pattern(void)
{
    static const char *const tries[] = {"%", "_xample.com", "example.co_", "%example.com", "' OR '1'='1", "example.com' --",
                                        "sub.example.com", "notexample.com", "com", "", "*"};

    setup();
    check_ok(rcpthosts_add(world.tables, STR("example.com"), true), "add");
    check_ok(add_user("all@example.com", true, true), "user");
    for (size_t i = 0; i < sizeof tries / sizeof tries[0]; i++) {
        check_number(rcpthost(tries[i]), ANSWER_NO);
        check_number(recipient("joe", tries[i]), ANSWER_NO);
    }
    teardown();
}

static void nul_bytes_end_nothing(void)
{
    struct rcpthost host;
    struct arena arena = {0};
    struct local found;

    setup();
    check_ok(add_user("joe@example.com", true, false), "user");
    check_number(world.directory.rcpthost(world.directory.self, STR("example.com\0.evil"), &host), ANSWER_NO);
    check_number(world.directory.local(world.directory.self, STR("joe\0x"), STR("example.com"), '+', &arena, &found), ANSWER_NO);
    check_number(world.directory.local(world.directory.self, STR("joe"), STR("example.com\0"), '+', &arena, &found), ANSWER_NO);
    arena_done(&arena);
    teardown();
}

/* --- recipients --- */

static void recipients_are_found_by_each_rule(void)
{
    static const struct {
        const char *local, *domain;
        enum answer answer;
    } table[] = {
        {"joe", "example.com", ANSWER_YES},      {"JOE", "example.com", ANSWER_YES},     {"jo", "example.com", ANSWER_NO},
        {"joe2", "example.com", ANSWER_NO},      {"idle", "example.com", ANSWER_YES},    {"login", "example.com", ANSWER_NO},
        {"sales", "example.com", ANSWER_YES},    {"Sales", "example.com", ANSWER_YES},   {"postmaster", "example.com", ANSWER_NO},
        {"joe", "alias.example", ANSWER_YES},    {"sales", "alias.example", ANSWER_YES}, {"nobody", "alias.example", ANSWER_NO},
        {"own", "alias.example", ANSWER_YES},    {"any", "catch.example", ANSWER_YES},   {"any", "tocatch.example", ANSWER_YES},
        {"any", "notcatch.example", ANSWER_NO},  {"any", "atch.example", ANSWER_NO},     {"j%", "example.com", ANSWER_NO},
        {"___", "example.com", ANSWER_NO},       {"' OR 1=1 --", "example.com", ANSWER_NO},
        {"x", "loop1.example", ANSWER_NO},       {"x", "self.example", ANSWER_NO},       {"joe", "twosteps.example", ANSWER_NO},
        {"example.com", "example.com", ANSWER_NO}, {"a@b", "example.com", ANSWER_NO},    {"", "example.com", ANSWER_NO},
        {"any", "word.example", ANSWER_NO},
    };

    setup();
    check_ok(add_user("joe@example.com", true, false), "user");
    check_ok(add_user("idle@example.com", true, false), "user");
    check_ok(add_user("login@example.com", false, false), "user");
    check_ok(add_user("all@catch.example", true, true), "user");
    sql("UPDATE users SET active = 'N' WHERE login = 'idle@example.com'");
    sql("INSERT INTO users (login, passwd, have_mailbox, is_catchall) VALUES ('word.example', 'x', 1, 1)");
    sql("INSERT INTO aliases (alias, deliver_to, is_dom_alias) VALUES ('sales@example.com', 'joe@example.com', 0),"
        " ('own@alias.example', 'joe@example.com', NULL), ('alias.example', 'Example.com', 1), ('tocatch.example', 'catch.example', 1),"
        " ('loop1.example', 'loop2.example', 1), ('loop2.example', 'loop1.example', 1), ('self.example', 'self.example', 1),"
        " ('twosteps.example', 'alias.example', 1)");
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
        if (!check_number(recipient(table[i].local, table[i].domain), table[i].answer))
            printf("# %s@%s\n", table[i].local, table[i].domain);
    teardown();
}

/* "mailbox", "mailbox+detail", "*mailbox" of a catch-all, "alias=targets|command" with (list) behind a mini-list's; "" for nobody. */
static void describe(const struct local *found, struct buf *to)
{
    buf_print(to, "%s%.*s%.*s", found->is_catchall ? "*" : "", STR_ARG(found->mailbox), STR_ARG(found->alias));
    if (found->alias.length > 0)
        buf_add_byte(to, '=');
    for (size_t i = 0; i < found->count; i++)
        buf_print(to, "%.*s,", STR_ARG(found->targets[i]));
    if (found->command.length > 0)
        buf_print(to, "|%.*s", STR_ARG(found->command));
    if (found->is_list)
        buf_add_text(to, "(list)");
    if (found->detail.length > 0)
        buf_print(to, " +%.*s", STR_ARG(found->detail));
}

static void check_local(const char *local, const char *domain, char delimiter, const char *expected)
{
    struct arena arena = {0};
    struct buf text = {0};
    struct local found = {.is_catchall = true, .alias = STR("left over")};
    enum answer answer = world.directory.local(world.directory.self, str_of(local), str_of(domain), delimiter, &arena, &found);

    check_number(answer, expected[0] != '\0' ? ANSWER_YES : ANSWER_NO);
    describe(&found, &text);
    if (!check_text(buf_text(&text), expected))
        printf("# %s@%s\n", local, domain);
    buf_done(&text);
    arena_done(&arena);
}

static void recipients_are_what_they_are(void)
{
    static const struct {
        const char *local, *domain, *found;
        char delimiter;
    } table[] = {
        {"joe", "example.com", "joe@example.com", '+'},
        {"JOE", "example.com", "joe@example.com", '\0'},
        {"Joe+Some.Thing", "example.com", "joe@example.com +Some.Thing", '+'},
        {"joe+a+b", "example.com", "joe@example.com +a+b", '+'},
        {"joe+", "example.com", "joe@example.com", '+'},
        {"joe+x", "example.com", "", '\0'},
        {"joe-x", "example.com", "", '+'},
        {"joe-x", "example.com", "joe@example.com +x", '-'},
        {"+joe", "example.com", "", '+'},
        {"+", "example.com", "", '+'},
        {"jo+e", "example.com", "jo+e@example.com", '+'}, /* a name of its own */
        {"jo+e+x", "example.com", "", '+'},
        {"a b", "example.com", "\"a b\"@example.com=joe@example.com,", '+'},
        {"a b+c d", "example.com", "\"a b\"@example.com=joe@example.com, +c d", '+'},
        {"sales", "example.com", "sales@example.com=joe@example.com,X@else.example,", '+'},
        {"Sales+x", "example.com", "sales@example.com=joe@example.com,X@else.example, +x", '+'},
        {"run", "example.com", "run@example.com=|cat 'a b'", '+'},
        {"both", "example.com", "both@example.com=joe@example.com,|cat", '+'},
        {"list", "example.com", "list@example.com=joe@example.com,(list)", '+'},
        {"empty", "example.com", "", '+'},
        {"joe+x", "alias.example", "joe@example.com +x", '+'},
        {"sales+x", "alias.example", "sales@example.com=joe@example.com,X@else.example, +x", '+'},
        {"own", "alias.example", "own@alias.example=joe@example.com,", '+'},
        {"any+x", "catch.example", "*all@catch.example", '+'},
        {"all+x", "catch.example", "all@catch.example +x", '+'},
        {"any", "tocatch.example", "*all@catch.example", '+'},
        {"empty", "catch.example", "*all@catch.example", '+'},
    };

    setup();
    check_ok(add_user("joe@example.com", true, false), "user");
    check_ok(add_user("jo+e@example.com", true, false), "user");
    check_ok(add_user("all@catch.example", true, true), "user");
    sql("INSERT INTO aliases (alias, deliver_to, pipe, is_dom_alias, is_mini_list) VALUES"
        " ('sales@example.com', 'joe@example.com;X@else.example', NULL, 0, 0), ('run@example.com', '', 'cat ''a b''', 0, 0),"
        " ('\"a b\"@example.com', 'joe@example.com', '', 0, 0), ('both@example.com', 'joe@example.com', 'cat', 0, 0),"
        " ('list@example.com', 'joe@example.com', '', 0, 1), ('empty@example.com', ' ; ', '', 0, 1), ('empty@catch.example', NULL, NULL, "
        "0, 0),"
        " ('\"\"@example.com', 'joe@example.com', '', 0, 0),"
        " ('own@alias.example', 'joe@example.com', NULL, NULL, NULL), ('alias.example', 'Example.com', '', 1, 0),"
        " ('tocatch.example', 'catch.example', '', 1, 0)");
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
        check_local(table[i].local, table[i].domain, table[i].delimiter, table[i].found);
    teardown();
}

static void catchall_uses_an_index(void)
{
    char plan[256];

    struct db_query *q;

    setup();
    q = tables_query(world.tables, "EXPLAIN QUERY PLAN SELECT login FROM users WHERE is_catchall AND"
                                   " substr(login, instr(login, '@') + 1) = ?1 AND instr(login, '@') > 1");
    if (check(q != NULL && db_step(q))) {
        str_copy(db_str(q, 3), plan, sizeof plan);
        check_has(plan, "users_domain");
    }
    check(q != NULL && db_finish(q));
    teardown();
}

/* --- relay IPs --- */

static void networks_have_edges(void)
{
    static const struct {
        const char *network, *client;
        enum answer answer;
    } table[] = {
        {"192.0.2.7", "192.0.2.7", ANSWER_YES},
        {"192.0.2.7", "192.0.2.6", ANSWER_NO},
        {"192.0.2.7", "192.0.2.8", ANSWER_NO},
        {"192.0.2.7/32", "192.0.2.7", ANSWER_YES},
        {"192.0.2.0/24", "192.0.2.0", ANSWER_YES},
        {"192.0.2.0/24", "192.0.2.255", ANSWER_YES},
        {"192.0.2.0/24", "192.0.1.255", ANSWER_NO},
        {"192.0.2.0/24", "192.0.3.0", ANSWER_NO},
        {"192.0.2.128/25", "192.0.2.127", ANSWER_NO},
        {"80.12.0.0/16", "80.120.0.1", ANSWER_NO},
        {"0.0.0.0/0", "255.255.255.255", ANSWER_YES},
        {"0.0.0.0/0", "2001:db8::1", ANSWER_NO},
        {"0.0.0.0/0", "::1", ANSWER_NO},
        {"::/0", "2001:db8::1", ANSWER_YES},
        {"::/0", "::1", ANSWER_YES},
        {"::/0", "192.0.2.1", ANSWER_NO},
        {"::/64", "192.0.2.1", ANSWER_NO},
        {"2001:db8::/32", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", ANSWER_YES},
        {"2001:db8::/32", "2001:db9::", ANSWER_NO},
        {"2001:db8::/32", "2001:db7:ffff:ffff:ffff:ffff:ffff:ffff", ANSWER_NO},
        {"2001:db8::1/128", "2001:db8::2", ANSWER_NO},
        {"::ffff:192.0.2.7", "192.0.2.7", ANSWER_YES},
        {"192.0.2.7", "::ffff:192.0.2.7", ANSWER_YES},
    };

    setup();
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        sql("DELETE FROM relay_ip_oks");
        check_ok(relayips_add(world.tables, str_of(table[i].network)), table[i].network);
        if (!check_number(relayip(table[i].client), table[i].answer))
            printf("# %s in %s\n", table[i].client, table[i].network);
    }
    teardown();
}

static void networks_may_overlap(void)
{
    setup();
    check_ok(relayips_add(world.tables, STR("10.0.0.0/8")), "add");
    check_ok(relayips_add(world.tables, STR("10.1.0.0/16")), "add");
    check_ok(relayips_add(world.tables, STR("10.1.2.3")), "add");
    check_number(relayip("10.2.0.1"), ANSWER_YES);
    check_number(relayip("10.1.2.4"), ANSWER_YES);
    check_ok(relayips_del(world.tables, STR("10.0.0.0/8")), "del");
    check_number(relayip("10.2.0.1"), ANSWER_NO);
    check_number(relayip("10.1.2.4"), ANSWER_YES);
    teardown();
}

static void bad_networks_are_refused(void)
{
    static const struct {
        const char *network, *part;
    } table[] = {
        {"192.0.2.5/24", "the network is 192.0.2.0/24"},
        {"2001:db8::1/64", "the network is 2001:db8::/64"},
        {"192.0.2.0/33", "is no address or network"},
        {"192.0.2.0/", "is no address or network"},
        {"192.0.2.0/-1", "is no address or network"},
        {"192.0.2.0/24/8", "is no address or network"},
        {"192.0.2", "is no address or network"},
        {"%", "is no address or network"},
        {"", "is no address or network"},
        {"2001:db8::/129", "is no address or network"},
        {"' OR 1=1", "is no address or network"},
    };

    setup();
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
        check_refused(relayips_add(world.tables, str_of(table[i].network)), table[i].part);
    check_number(number_of("SELECT count(*) FROM relay_ip_oks"), 0);
    check_refused(relayips_del(world.tables, STR("192.0.2.1")), "not in the list");
    check_ok(relayips_add(world.tables, STR("2001:DB8:0::/48")), "add");
    check_refused(relayips_add(world.tables, STR("2001:db8::/48")), "2001:db8::/48 may relay already");
    teardown();
}

/* --- users --- */

static void users_follow_their_rules(void)
{
    static const struct {
        const char *login, *password, *quota;
        bool mailbox, catchall;
        const char *part;
    } table[] = {
        {"abc", "secret", "", false, false, "4 to 256"},
        {"joe@example.com", "short", "", true, false, "too short"},
        {"joe@example.com", "secret\n", "", true, false, "control character"},
        {"joe@example.com", "secret", "", false, true, "needs a mailbox"},
        {"joe@example.com", "secret", "1G", false, false, "needs a mailbox"},
        {"joe@example.com", "secret", "1T", true, false, "is no quota"},
        {"joe@example.com", "secret", "-1", true, false, "is no quota"},
        {"joe@example.com", "secret", "G", true, false, "is no quota"},
        {"word", "secret", "", true, false, "is none"},
        {"two words", "secret", "", false, false, "is no login"},
        {"joe@", "secret", "", true, false, "is no login"},
        {"joe@@example.com", "secret", "", true, false, "is no login"},
        {"joe@exa mple.com", "secret", "", true, false, "is no login"},
        {"../joe@example.com", "secret", "", true, false, "is no login"},
        {"a/b@example.com", "secret", "", true, false, "cannot be the name"},
        {"\"a b\"@example.com", "secret", "", true, false, "cannot be the name"},
        {"joe@[192.0.2.1]", "secret", "", true, false, "needs a domain"},
        {"joe@remote.example", "secret", "", true, false, "as a remote domain"},
        {"joe@alias.example", "secret", "", true, false, "alias of another"},
        {"JOHN@taken.example", "secret", "", true, false, "already exists"},
        {"sales@taken.example", "secret", "", true, false, "existing alias"},
        {"other@taken.example", "secret", "", true, true, "already has a catch-all: john@taken.example"},
    };

    setup();
    check_ok(rcpthosts_add(world.tables, STR("remote.example"), false), "domain");
    sql("INSERT INTO rcpt_hosts (hostname, is_local, is_alias) VALUES ('alias.example', 1, 1)");
    sql("INSERT INTO aliases (alias, deliver_to) VALUES ('sales@taken.example', 'john@taken.example')");
    check_ok(add_user("john@taken.example", true, true), "john");
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        const struct new_user u = {
            .login = str_of(table[i].login),
            .password = str_of(table[i].password),
            .quota = str_of(table[i].quota),
            .mailbox = table[i].mailbox,
            .catchall = table[i].catchall,
            .home_base = STR("/home"),
        };

        check_refused(users_add(world.tables, &u), table[i].part);
    }
    check_number(number_of("SELECT count(*) FROM users"), 1);
    check_number(number_of("SELECT count(*) FROM rcpt_hosts"), 3);
    teardown();
}

static void a_mailbox_makes_its_domain_local(void)
{
    struct rcpthost host;

    setup();
    check_ok(add_user("word", false, false), "word");
    check_ok(add_user("joe@nomailbox.example", false, false), "no mailbox");
    check_number(number_of("SELECT count(*) FROM rcpt_hosts"), 0);
    check_ok(add_user("Joe@B\xc3\xbc""cher.example", true, false), "mailbox");
    check_number(world.directory.rcpthost(world.directory.self, STR("xn--bcher-kva.example"), &host), ANSWER_YES);
    check(host.is_local);
    check_number(recipient("joe", "xn--bcher-kva.example"), ANSWER_YES);
    check_ok(users_del(world.tables, STR("JOE@xn--bcher-kva.example"), NULL), "del");
    check_number(recipient("joe", "xn--bcher-kva.example"), ANSWER_NO);
    check_number(rcpthost("xn--bcher-kva.example"), ANSWER_YES);
    check_refused(users_del(world.tables, STR("joe@xn--bcher-kva.example"), NULL), "does not exist");
    teardown();
}

static void quotas_and_homes_are_text(void)
{
    static const struct {
        const char *login, *quota, *stored, *home;
        int64_t standard;
    } table[] = {
        {"a@one.example", "", "200M", "/b/o/one.example/a/a", 200 << 20},
        {"bb@one.example", "", "1000", "/b/o/one.example/b/bb", 1000},
        {"cc@one.example", "", "0", "/b/o/one.example/c/cc", 0},
        {"dd@one.example", "1g", "1G", "/b/o/one.example/d/dd", 1},
        {"ee@one.example", "512K", "512K", "/b/o/one.example/e/ee", 1},
        {"ff@one.example", "0123", "123", "/b/o/one.example/f/ff", 1},
        {"\xc3\xa9t\xc3\xa9@one.example", "1M", "1M", "/b/o/one.example/\xc3\xa9/\xc3\xa9t\xc3\xa9", 1},
        {"%25@one.example", "1M", "1M", "/b/o/one.example/%/%25", 1},
    };
    char text[256];

    setup();
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        const struct new_user u = {
            .login = str_of(table[i].login),
            .password = STR("secret"),
            .quota = str_of(table[i].quota),
            .default_quota = table[i].standard,
            .mailbox = true,
            .home_base = STR("/b"),
        };

        check_ok(users_add(world.tables, &u), table[i].login);
        text_of("SELECT mailbox_quota FROM users ORDER BY id DESC LIMIT 1", text, sizeof text);
        check_text(text, table[i].stored);
        text_of("SELECT home FROM users ORDER BY id DESC LIMIT 1", text, sizeof text);
        check_text(text, table[i].home);
    }
    teardown();
}

static struct status set_password(const char *login, const char *password)
{
    const struct str text = str_of(password);

    return users_update(world.tables, str_of(login), &(struct user_update){.password = &text});
}

static void passwords_are_hashed_and_changed(void)
{
    char hash[PASSWORD_HASH_SIZE];

    setup();
    check_ok(add_user("someone", false, false), "add");
    text_of("SELECT passwd FROM users", hash, sizeof hash);
    check(strncmp(hash, "$y$", 3) == 0);
    check_number(password_matches(STR("secret"), hash), ANSWER_YES);
    check_number(password_matches(STR("Secret"), hash), ANSWER_NO);
    check_number(password_matches(STR("secret\0"), hash), ANSWER_NO);
    check_number(password_matches(STR(""), hash), ANSWER_NO);
    check_ok(set_password("SomeOne", "better one"), "set");
    text_of("SELECT passwd FROM users", hash, sizeof hash);
    check_number(password_matches(STR("better one"), hash), ANSWER_YES);
    text_of("SELECT dove_passwd FROM users", hash, sizeof hash);
    check_number(password_matches(STR("better one"), hash), ANSWER_YES);
    check_refused(set_password("nobody", "better one"), "does not exist");
    check_refused(set_password("someone", "short"), "at least 6");
    check_number(password_matches(STR("x"), ""), ANSWER_NO);
    check_number(password_matches(STR("x"), "*0"), ANSWER_NO);
    teardown();
}

/* --- failures --- */

static void check_all_fail(void)
{
    char host[64];

    check_number(rcpthost("example.com"), ANSWER_FAILED);
    check_number(recipient("joe", "example.com"), ANSWER_FAILED);
    check_number(relayip("192.0.2.1"), ANSWER_FAILED);
    check_number(world.directory.check_password(world.directory.self, STR("joe"), STR("secret")), ANSWER_FAILED);
    check_number(world.directory.keys(world.directory.self, STR("joe"), &(struct sasl_keys){0}), ANSWER_FAILED);
    check_number(world.directory.user(world.directory.self, STR("joe"), &(struct user){0}), ANSWER_FAILED);
    check_number(world.directory.may_send_as(world.directory.self, STR("joe"), STR("a@b.example")), ANSWER_FAILED);
    check_number(find_route("", "a@b.example", "example.com", host, sizeof host), ANSWER_FAILED);
    check_number(find_route("u@d.example", "a@b.example", "example.com", host, sizeof host), ANSWER_FAILED);
}

static void write_garbage(void)
{
    FILE *f = fopen(world.path, "w");

    for (int i = 0; i < 4096; i++)
        fputs("not a database at all\n", f);
    fclose(f);
}

static void corrupt_file_is_no_answer(void)
{
    setup();
    tables_close(&world.tables);
    write_garbage();
    check_all_fail();
    check(!directory_open_sql(&(struct directory){0}, world.path, world.error, sizeof world.error));
    check_has(world.error, "not a database");
    teardown();
}

static void mended_database_is_seen(void)
{
    char saved[128];

    setup();
    check_ok(rcpthosts_add(world.tables, STR("example.com"), true), "add");
    tables_close(&world.tables);
    snprintf(saved, sizeof saved, "%s/saved", world.folder);
    check(rename(world.path, saved) == 0);
    write_garbage();
    check_number(rcpthost("example.com"), ANSWER_FAILED);
    check(rename(saved, world.path) == 0);
    check_number(rcpthost("example.com"), ANSWER_YES);
    teardown();
}

static void missing_table_is_no_answer(void)
{
    setup();
    check_number(rcpthost("example.com"), ANSWER_NO);
    sql("ALTER TABLE rcpt_hosts RENAME TO hidden; DROP TABLE users; DROP TABLE relay_ip_oks; DROP TABLE routes; DROP TABLE aliases;");
    check_all_fail();
    sql("ALTER TABLE hidden RENAME TO rcpt_hosts");
    check_number(rcpthost("example.com"), ANSWER_NO);
    teardown();
}

static void missing_file_is_no_answer(void)
{
    setup();
    tables_close(&world.tables);
    unlink(world.path);
    check_all_fail();
    teardown();
}

static void locked_database_is_no_answer(void)
{
    int64_t before;
    struct db *db;

    setup();
    tables_close(&world.tables);
    db = db_open(world.path, DB_READ_WRITE, 100, world.error, sizeof world.error);
    check(db != NULL && db_run(db, "PRAGMA locking_mode=EXCLUSIVE; BEGIN EXCLUSIVE; INSERT INTO rcpt_hosts (hostname) VALUES ('x')"));
    before = clock_now();
    check_number(rcpthost("example.com"), ANSWER_FAILED);
    check(clock_now() - before < 3 * DB_BUSY_MS);
    check(db_run(db, "ROLLBACK"));
    db_close(&db);
    check_number(rcpthost("example.com"), ANSWER_NO);
    teardown();
}

static void refused_change_leaves_no_transaction(void)
{
    setup();
    check_refused(rcpthosts_add(world.tables, STR("a b"), true), "no domain");
    check_ok(rcpthosts_add(world.tables, STR("one.example"), true), "one");
    check_refused(rcpthosts_add(world.tables, STR("one.example"), true), "already");
    check_refused(add_user("someone", true, false), "is none");
    check_ok(add_user("someone", false, false), "user");
    check_number(number_of("SELECT count(*) FROM users"), 1);
    teardown();
}

/* --- threads --- */

struct crowd {
    struct lock lock;
    struct signal done;
    int working, wrong;
};

static void ask_often(void *argument)
{
    struct crowd *c = argument;
    int wrong = 0;

    for (int i = 0; i < 200; i++) {
        wrong += rcpthost("example.com") != ANSWER_YES;
        wrong += recipient("joe", "example.com") != ANSWER_YES;
        wrong += recipient("jim", "example.com") != ANSWER_NO;
        wrong += relayip("192.0.2.1") != ANSWER_NO;
    }
    lock_take(&c->lock);
    c->wrong += wrong;
    c->working--;
    signal_one(&c->done);
    lock_release(&c->lock);
}

static void many_threads_may_ask(void)
{
    struct crowd c = {.working = 24};

    setup();
    check_ok(add_user("joe@example.com", true, false), "user");
    lock_init(&c.lock);
    signal_init(&c.done);
    for (int i = 0; i < 24; i++)
        check(thread_start(ask_often, &c));
    for (int i = 0; i < 100; i++) { /* meanwhile others write */
        check_ok(rcpthosts_add(world.tables, STR("busy.example"), true), "add");
        check_ok(rcpthosts_del(world.tables, STR("busy.example")), "del");
    }
    lock_take(&c.lock);
    while (c.working > 0)
        signal_wait(&c.done, &c.lock, CLOCK_NEVER);
    lock_release(&c.lock);
    check_number(c.wrong, 0);
    signal_done(&c.done);
    lock_done(&c.lock);
    teardown();
}

static const struct test_case cases[] = {
    TEST_CASE(new_database_is_private),
    TEST_CASE(all_creators_succeed),
    TEST_CASE(newer_schema_is_refused),
    TEST_CASE(missing_folder_is_told),
    TEST_CASE(predecessors_database_is_taken_over),
    TEST_CASE(many_may_take_it_over_at_once),
    TEST_CASE(migration_runs_once),
    TEST_CASE(the_first_version_is_taken_over),
    TEST_CASE(the_version_without_tls_policies_is_taken_over),
    TEST_CASE(all_ways_lead_to_one_schema),
    TEST_CASE(a_migration_that_fails_changes_nothing),
    TEST_CASE(older_tables_get_their_columns),
    TEST_CASE(dovecots_queries_work),
    TEST_CASE(rcpthosts_are_added_and_deleted),
    TEST_CASE(bad_domains_are_refused),
    TEST_CASE(nothing_is_a_pattern),
    TEST_CASE(nul_bytes_end_nothing),
    TEST_CASE(recipients_are_found_by_each_rule),
    TEST_CASE(recipients_are_what_they_are),
    TEST_CASE(catchall_uses_an_index),
    TEST_CASE(networks_have_edges),
    TEST_CASE(networks_may_overlap),
    TEST_CASE(bad_networks_are_refused),
    TEST_CASE(users_follow_their_rules),
    TEST_CASE(a_mailbox_makes_its_domain_local),
    TEST_CASE(quotas_and_homes_are_text),
    TEST_CASE(passwords_are_hashed_and_changed),
    TEST_CASE(corrupt_file_is_no_answer),
    TEST_CASE(mended_database_is_seen),
    TEST_CASE(missing_table_is_no_answer),
    TEST_CASE(missing_file_is_no_answer),
    TEST_CASE(locked_database_is_no_answer),
    TEST_CASE(refused_change_leaves_no_transaction),
    TEST_CASE(many_threads_may_ask),
};

int main(int argc, char **argv)
{
    return test_main(cases, TEST_COUNT(cases), argc, argv);
}

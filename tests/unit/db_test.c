#include "test.h"

#include "base/clock.h"
#include "base/db.h"

#include "place.h"

#include <sys/wait.h>

static struct place place;
static struct db *db;
static char error[512];

static const char *path(void)
{
    return place_path(&place, "test.db");
}

static void open_new(void)
{
    unlink(path());
    unlink(place_path(&place, "test.db-wal"));
    unlink(place_path(&place, "test.db-shm"));
    error[0] = '\0';
    db = db_open(path(), DB_CREATE, 1000, error, sizeof error);
    if (!check(db != NULL))
        printf("# %s\n", error);
    check(db_run(db, "CREATE TABLE t (id INTEGER PRIMARY KEY, text TEXT UNIQUE, data BLOB)"));
}

static int64_t pragma(const char *sql)
{
    struct db_query *q = db_prepare(db, sql);
    int64_t value = -1;

    if (db_step(q))
        value = db_int(q, 0);
    check(db_finish(q));
    return value;
}

static void commits_are_durable_by_configuration(void)
{
    struct db_query *q;

    open_new();
    check_number(pragma("PRAGMA synchronous"), 2);
    q = db_prepare(db, "PRAGMA journal_mode");
    check(db_step(q));
    check_str(db_str(q, 0), STR("wal"));
    check(db_finish(q));
    db_close(&db);
    check(db == NULL);
    db_close(&db);
}

static void missing_files_say_why(void)
{
    check(db_open("/nonexistent/x.db", DB_CREATE, 100, error, sizeof error) == NULL);
    check_has(error, "/nonexistent/x.db");
    check(db_open(place_path(&place, "missing.db"), DB_READ_WRITE, 100, error, sizeof error) == NULL);
    check(access(place_path(&place, "missing.db"), F_OK) != 0);
    check(db_open(place_path(&place, "missing.db"), DB_READ_ONLY, 100, error, sizeof error) == NULL);
}

static void values_of_all_kinds_come_back(void)
{
    struct db_query *in, *out;

    open_new();
    in = db_prepare(db, "INSERT INTO t VALUES (?, ?, ?)");
    out = db_prepare(db, "SELECT id, text, data FROM t WHERE id = ?");
    db_bind_int(in, 1, INT64_MIN);
    db_bind_str(in, 2, STR("a\0'; DROP TABLE t; --"));
    db_bind_blob(in, 3, STR("\0\xff\x80"));
    check(db_execute(in));
    check_number(db_changes(db), 1);
    db_bind_int(in, 1, 7);
    db_bind_optional(in, 2, STR(""));
    db_bind_null(in, 3);
    check(db_execute(in));
    check_number(db_last_id(db), 7);
    db_bind_int(in, 1, 8);
    db_bind_str(in, 2, STR(""));
    db_bind_zeros(in, 3, 5);
    check(db_execute(in));

    db_bind_int(out, 1, INT64_MIN);
    check(db_step(out));
    check_number(db_int(out, 0), INT64_MIN);
    check_str(db_str(out, 1), STR("a\0'; DROP TABLE t; --"));
    check_str(db_str(out, 2), STR("\0\xff\x80"));
    check(!db_step(out));
    check(db_finish(out));
    db_bind_int(out, 1, 7);
    check(db_step(out) && db_is_null(out, 1) && db_is_null(out, 2) && db_str(out, 1).length == 0);
    check(db_finish(out));
    db_bind_int(out, 1, 8);
    check(db_step(out) && !db_is_null(out, 1) && db_str(out, 1).length == 0);
    check_str(db_str(out, 2), STR("\0\0\0\0\0"));
    check(db_finish(out));
    /* The bindings went with the last use. */
    check(!db_step(out));
    check(db_finish(out));
    db_close(&db);
}

static void a_failure_is_no_empty_answer(void)
{
    struct db_query *q;
    struct status s;

    open_new();
    check(db_prepare(db, "SELECT nonsense FROM nowhere") == NULL);
    check_has(db_error(db), "nowhere");
    q = db_prepare(db, "INSERT INTO t (text) VALUES (?)");
    db_bind_str(q, 1, STR("x"));
    check(db_execute(q));
    db_bind_str(q, 1, STR("x"));
    check(!db_execute(q));
    check(db_was_constraint(db));
    s = db_status(db);
    check_number(s.code, 451);
    check(strstr(s.text, "UNIQUE") == NULL && strstr(s.text, place.folder) == NULL);
    /* One use that failed does not spoil the next. */
    db_bind_str(q, 1, STR("y"));
    check(db_execute(q));
    check(!db_run(db, "nonsense"));
    check(!db_was_constraint(db));
    q = db_prepare(db, "SELECT abs(?) FROM t");
    db_bind_int(q, 1, INT64_MIN); /* integer overflow */
    check(!db_step(q));
    check(!db_finish(q));
    db_close(&db);
}

static void a_full_disk_is_told(void)
{
    struct db_query *q;
    struct status s;
    bool ok = true;

    open_new();
    check(db_run(db, "PRAGMA max_page_count=20"));
    q = db_prepare(db, "INSERT INTO t (data) VALUES (zeroblob(4000))");
    for (int i = 0; i < 100 && ok; i++)
        ok = db_execute(q);
    check(!ok);
    s = db_status(db);
    check_number(s.code, 452);
    check_number(s.class * 100 + s.subject * 10 + s.detail, 431);
    check(!db_in_transaction(db));
    db_close(&db);
}

static void blobs_are_read_and_written_by_pieces(void)
{
    struct db_blob *blob;
    char back[12] = "";

    open_new();
    check(db_run(db, "BEGIN; INSERT INTO t (id, data) VALUES (1, zeroblob(10))"));
    check(db_in_transaction(db));
    blob = db_blob_open(db, "t", "data", 1, true);
    if (check(blob != NULL)) {
        check_number(db_blob_size(blob), 10);
        check(db_blob_write(blob, 0, STR("01234")));
        check(db_blob_write(blob, 5, STR("56789")));
        check(!db_blob_write(blob, 6, STR("56789")));
        check(db_blob_close(&blob));
        check(blob == NULL);
    }
    check(db_run(db, "COMMIT"));
    check(!db_in_transaction(db));
    blob = db_blob_open(db, "t", "data", 1, false);
    if (check(blob != NULL)) {
        check(db_blob_read(blob, 3, back, 7));
        check_text(back, "3456789");
        check(!db_blob_read(blob, 4, back, 7));
        db_blob_close(&blob);
    }
    check(db_blob_open(db, "t", "data", 2, false) == NULL);
    check(db_blob_open(db, "t", "nothing", 1, false) == NULL);
    db_close(&db);
}

/* A writer of another process is waited for.  It starts before we connect: SQLite forbids to take a connection over a fork. */
static void other_writers_are_waited_for(void)
{
    int ready[2];
    char byte;
    pid_t pid;
    int64_t before;

    open_new();
    db_close(&db);
    check(pipe(ready) == 0);
    fflush(stdout);
    pid = fork();
    if (pid == 0) {
        struct db *other = db_open(path(), DB_READ_WRITE, 100, error, sizeof error);

        db_run(other, "BEGIN IMMEDIATE");
        (void)!write(ready[1], "x", 1);
        poll(NULL, 0, 200);
        db_run(other, "INSERT INTO t (text) VALUES ('other'); COMMIT");
        db_close(&other);
        _exit(0);
    }
    check(read(ready[0], &byte, 1) == 1);
    db = db_open(path(), DB_READ_WRITE, 100, error, sizeof error);
    before = clock_now();
    check(db_run(db, "INSERT INTO t (text) VALUES ('mine')"));
    check(clock_now() - before >= 50);
    check_number(pragma("SELECT count(*) FROM t"), 2);
    waitpid(pid, NULL, 0);
    close(ready[0]);
    close(ready[1]);
    db_close(&db);
}

static void questions_of_strangers_only_read(void)
{
    static const char *const refused[] = {
        "", " ; -- nothing", "nonsense", "DELETE FROM t", "UPDATE t SET id = 2", "INSERT INTO t (id) VALUES (9)", "INSERT INTO t (id) VALUES (9) RETURNING id",
        "DROP TABLE t", "CREATE TABLE u (x)", "CREATE TEMP TABLE u (x)", "CREATE VIEW w AS SELECT 1", "ALTER TABLE t RENAME TO u", "ATTACH 'other.db' AS o",
        "DETACH main", "PRAGMA user_version", "PRAGMA user_version = 7", "SELECT * FROM pragma_table_info('t')", "VACUUM", "VACUUM INTO 'copy.db'",
        "REINDEX", "ANALYZE", "BEGIN", "COMMIT", "SAVEPOINT s", "SELECT load_extension('x')", "SELECT LOAD_EXTENSION('x', 'y')",
        "SELECT 1; SELECT 2", "SELECT 1; DROP TABLE t", "SELECT 1; nonsense", "SELECT id FROM t; DELETE FROM t;",
        "WITH x AS (SELECT 1) DELETE FROM t",
    };
    static const char *const taken[] = {
        "SELECT 1", " select 1 ; ", "SELECT 1; -- the end", "/* first */ SELECT id FROM t /* last */;;", "SELECT * FROM v", "VALUES (1), (2)",
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3) SELECT max(i) FROM n", "EXPLAIN SELECT 1",
        "SELECT printf('%d', 1), strftime('%s', 0), group_concat(id) FROM t",
    };

    open_new();
    check(db_run(db, "INSERT INTO t (id) VALUES (1); CREATE VIEW v AS SELECT id FROM t"));
    for (size_t i = 0; i < TEST_COUNT(refused); i++)
        if (!check(db_ask(db, refused[i]) == NULL && db_error(db)[0] != '\0'))
            printf("# %s\n", refused[i]);
    for (size_t i = 0; i < TEST_COUNT(taken); i++) {
        struct db_query *q = db_ask(db, taken[i]);

        if (!check(q != NULL && db_step(q) && db_int(q, 0) <= 3 && (db_step(q) || db_finish(q))))
            printf("# %s: %s\n", taken[i], db_error(db));
    }
    check(db_ask(db, "SELECT nothing FROM t") == NULL);
    check_has(db_error(db), "nothing");
    check(db_ask(db, " ;") == NULL);
    check_text(db_error(db), "there is no statement");
    check(db_ask(db, "SELECT 1; SELECT 2") == NULL);
    check_text(db_error(db), "there is more than one statement");
    /* From the first question on that is so for every statement. */
    check(!db_run(db, "DELETE FROM t"));
    db_close(&db);
    db = db_open(path(), DB_READ_ONLY, 100, error, sizeof error);
    check_number(pragma("SELECT count(*) FROM t"), 1);
    check_number(pragma("PRAGMA user_version"), 0);
    check(!db_run(db, "DELETE FROM t"));
    db_close(&db);
    check(access("copy.db", F_OK) != 0 && access("other.db", F_OK) != 0);
}

static void values_say_of_what_kind_they_are(void)
{
    static const enum db_kind kinds[] = {DB_INTEGER, DB_REAL, DB_TEXT, DB_BLOB, DB_NULL};
    struct db_query *q;

    open_new();
    q = db_ask(db, "SELECT 7 AS seven, 1.5, 'text', x'0001', NULL");
    if (!check(q != NULL && db_step(q)))
        return;
    check_number(db_column_count(q), TEST_COUNT(kinds));
    check_text(db_column_name(q, 0), "seven");
    check_text(db_column_name(q, 1), "1.5");
    for (size_t i = 0; i < TEST_COUNT(kinds); i++)
        check_number(db_kind_of(q, (int)i), kinds[i]);
    check(db_real(q, 1) > 1.49 && db_real(q, 1) < 1.51);
    check_str(db_str(q, 1), STR("1.5"));
    check_number(db_length(q, 2), 4);
    check_number(db_length(q, 3), 2);
    check(!db_step(q));
    check(db_finish(q));
    db_close(&db);
}

static const struct test_case cases[] = {
    TEST_CASE(commits_are_durable_by_configuration),
    TEST_CASE(missing_files_say_why),
    TEST_CASE(values_of_all_kinds_come_back),
    TEST_CASE(a_failure_is_no_empty_answer),
    TEST_CASE(a_full_disk_is_told),
    TEST_CASE(blobs_are_read_and_written_by_pieces),
    TEST_CASE(other_writers_are_waited_for),
    TEST_CASE(questions_of_strangers_only_read),
    TEST_CASE(values_say_of_what_kind_they_are),
};

int main(int argc, char **argv)
{
    int status;

    place_open(&place);
    status = test_main(cases, TEST_COUNT(cases), argc, argv);
    place_close(&place);
    return status;
}

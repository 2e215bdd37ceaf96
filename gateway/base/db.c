#include "base/db.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"

#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

struct db {
    sqlite3 *handle;
    struct db_query *queries;
    bool unprepared; /* a query could not be prepared */
    int64_t busy_until; /* clock_now, while another connection is waited for */
    int code; /* extended result code of the last failure */
    char error[256];
};

struct db_query {
    struct db *db;
    struct db_query *next;
    sqlite3_stmt *statement;
    bool failed;
};

struct db_blob {
    struct db *db;
    sqlite3_blob *handle;
};

static bool note(struct db *db, int code)
{
    if (code == SQLITE_OK || code == SQLITE_ROW || code == SQLITE_DONE)
        return true;
    db->code = sqlite3_extended_errcode(db->handle);
    if (db->code == SQLITE_OK)
        db->code = code;
    snprintf(db->error, sizeof db->error, "%s", sqlite3_errmsg(db->handle));
    return false;
}

/* Other writers are done within a millisecond or so: look often at first. */
static int wait_a_little(void *context, int tries)
{
    const struct timespec nap = {.tv_nsec = tries < 100 ? 200000 : 2000000};
    struct db *db = context;

    if (tries == 0)
        db->busy_until = clock_now() + DB_BUSY_MS;
    if (clock_now() >= db->busy_until)
        return 0;
    nanosleep(&nap, NULL);
    return 1;
}

static bool configure(struct db *db, enum db_mode mode, int cache_kb)
{
    char sql[256];

    sqlite3_extended_result_codes(db->handle, 1);
    sqlite3_busy_handler(db->handle, wait_a_little, db);
    sqlite3_db_config(db->handle, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_db_config(db->handle, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    snprintf(sql, sizeof sql, "PRAGMA cache_size=-%d; PRAGMA foreign_keys=OFF; PRAGMA secure_delete=OFF; PRAGMA synchronous=FULL;", cache_kb);
    /* The mode of vacuuming is settled by the first page, and journal_mode writes it. */
    return db_run(db, sql) && (mode != DB_SHRINKABLE || db_run(db, "PRAGMA auto_vacuum=INCREMENTAL")) &&
           (mode == DB_READ_ONLY || db_run(db, "PRAGMA journal_mode=WAL"));
}

struct db *db_open(const char *path, enum db_mode mode, int cache_kb, char *error, size_t error_size)
{
    static const int flags[] = {
        [DB_READ_ONLY] = SQLITE_OPEN_READONLY,
        [DB_READ_WRITE] = SQLITE_OPEN_READWRITE,
        [DB_CREATE] = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE,
        [DB_SHRINKABLE] = SQLITE_OPEN_READWRITE,
    };
    struct db *db = memory_new(sizeof *db);

    if (!note(db, sqlite3_open_v2(path, &db->handle, flags[mode] | SQLITE_OPEN_NOMUTEX, NULL)) || !configure(db, mode, cache_kb)) {
        snprintf(error, error_size, "%s: %s", path, db->error);
        db_close(&db);
    }
    return db;
}

void db_close(struct db **db)
{
    if (*db == NULL)
        return;
    while ((*db)->queries != NULL) {
        struct db_query *q = (*db)->queries;

        (*db)->queries = q->next;
        sqlite3_finalize(q->statement);
        memory_free(&q);
    }
    sqlite3_close((*db)->handle);
    memory_free(db);
}

const char *db_error(struct db *db)
{
    return db->error;
}

bool db_was_constraint(struct db *db)
{
    return (db->code & 0xff) == SQLITE_CONSTRAINT;
}

struct status db_status(struct db *db)
{
    log_message(LOG_LEVEL_ERROR, "database", "%s: %s (SQLite code %d)", sqlite3_db_filename(db->handle, NULL), db->error, db->code);
    if ((db->code & 0xff) == SQLITE_FULL)
        return status_make(452, "4.3.1", "Insufficient storage, try again later");
    return status_make(451, "4.3.0", "Database failure, try again later");
}

bool db_run(struct db *db, const char *sql)
{
    return note(db, sqlite3_exec(db->handle, sql, NULL, NULL, NULL));
}

static struct db_query *keep(struct db *db, sqlite3_stmt *statement)
{
    struct db_query *q = memory_new(sizeof *q);

    q->db = db;
    q->statement = statement;
    q->next = db->queries;
    db->queries = q;
    return q;
}

struct db_query *db_prepare(struct db *db, const char *sql)
{
    sqlite3_stmt *statement;

    if (!note(db, sqlite3_prepare_v3(db->handle, sql, -1, SQLITE_PREPARE_PERSISTENT, &statement, NULL))) {
        db->unprepared = true;
        return NULL;
    }
    return keep(db, statement);
}

bool db_prepared_all(struct db *db)
{
    return !db->unprepared;
}

/* SQLite asks here for each thing that a statement would do. */
static int may_read(void *context, int action, const char *first, const char *second, const char *schema, const char *within)
{
    (void)context;
    (void)first;
    (void)schema;
    (void)within;
    if (action == SQLITE_FUNCTION)
        return second != NULL && strcasecmp(second, "load_extension") == 0 ? SQLITE_DENY : SQLITE_OK;
    return action == SQLITE_SELECT || action == SQLITE_READ || action == SQLITE_RECURSIVE ? SQLITE_OK : SQLITE_DENY;
}

/* Blanks, comments and semicolons are no statement. */
static bool is_statement(struct db *db, const char *sql)
{
    sqlite3_stmt *statement = NULL;
    const char *rest = sql;
    bool found = false;

    for (; *sql != '\0' && !found; sql = rest) {
        found = sqlite3_prepare_v2(db->handle, sql, -1, &statement, &rest) != SQLITE_OK || statement != NULL || rest == sql;
        sqlite3_finalize(statement);
    }
    return found;
}

static bool is_one_question(struct db *db, sqlite3_stmt *statement, const char *rest)
{
    const char *wrong = NULL;

    if (statement == NULL)
        wrong = "there is no statement";
    else if (sqlite3_stmt_readonly(statement) == 0 || sqlite3_column_count(statement) == 0)
        wrong = "the statement does not read";
    else if (is_statement(db, rest))
        wrong = "there is more than one statement";
    if (wrong == NULL)
        return true;
    db->code = SQLITE_AUTH;
    snprintf(db->error, sizeof db->error, "%s", wrong);
    return false;
}

struct db_query *db_ask(struct db *db, const char *sql)
{
    sqlite3_stmt *statement = NULL;
    const char *rest = "";

    sqlite3_set_authorizer(db->handle, may_read, NULL);
    if (!note(db, sqlite3_prepare_v2(db->handle, sql, -1, &statement, &rest)))
        return NULL;
    if (is_one_question(db, statement, rest))
        return keep(db, statement);
    sqlite3_finalize(statement);
    return NULL;
}

static void check(struct db_query *q, int code)
{
    if (!note(q->db, code))
        q->failed = true;
}

void db_bind_int(struct db_query *q, int position, int64_t value)
{
    check(q, sqlite3_bind_int64(q->statement, position, value));
}

void db_bind_str(struct db_query *q, int position, struct str value)
{
    check(q, sqlite3_bind_text64(q->statement, position, value.length > 0 ? value.data : "", value.length, SQLITE_STATIC, SQLITE_UTF8));
}

void db_bind_blob(struct db_query *q, int position, struct str value)
{
    check(q, sqlite3_bind_blob64(q->statement, position, value.length > 0 ? value.data : "", value.length, SQLITE_STATIC));
}

void db_bind_zeros(struct db_query *q, int position, int64_t length)
{
    check(q, sqlite3_bind_zeroblob64(q->statement, position, (sqlite3_uint64)length));
}

void db_bind_null(struct db_query *q, int position)
{
    check(q, sqlite3_bind_null(q->statement, position));
}

void db_bind_optional(struct db_query *q, int position, struct str value)
{
    if (value.length > 0)
        db_bind_str(q, position, value);
    else
        db_bind_null(q, position);
}

bool db_step(struct db_query *q)
{
    int code;

    if (q->failed)
        return false;
    code = sqlite3_step(q->statement);
    check(q, code);
    return code == SQLITE_ROW;
}

int64_t db_int(struct db_query *q, int column)
{
    return sqlite3_column_int64(q->statement, column);
}

struct str db_str(struct db_query *q, int column)
{
    const char *data = sqlite3_column_blob(q->statement, column);

    return (struct str){data, data != NULL ? (size_t)sqlite3_column_bytes(q->statement, column) : 0};
}

double db_real(struct db_query *q, int column)
{
    return sqlite3_column_double(q->statement, column);
}

bool db_is_null(struct db_query *q, int column)
{
    return sqlite3_column_type(q->statement, column) == SQLITE_NULL;
}

enum db_kind db_kind_of(struct db_query *q, int column)
{
    static const enum db_kind kinds[] = {
        [SQLITE_INTEGER] = DB_INTEGER, [SQLITE_FLOAT] = DB_REAL, [SQLITE_TEXT] = DB_TEXT, [SQLITE_BLOB] = DB_BLOB, [SQLITE_NULL] = DB_NULL,
    };

    return kinds[sqlite3_column_type(q->statement, column)];
}

int64_t db_length(struct db_query *q, int column)
{
    return sqlite3_column_bytes(q->statement, column);
}

int db_column_count(struct db_query *q)
{
    return sqlite3_column_count(q->statement);
}

const char *db_column_name(struct db_query *q, int column)
{
    const char *name = sqlite3_column_name(q->statement, column);

    return name != NULL ? name : "";
}

bool db_finish(struct db_query *q)
{
    bool ok = !q->failed;

    sqlite3_reset(q->statement);
    sqlite3_clear_bindings(q->statement);
    q->failed = false;
    return ok;
}

bool db_execute(struct db_query *q)
{
    while (db_step(q))
        ;
    return db_finish(q);
}

bool db_in_transaction(struct db *db)
{
    return sqlite3_get_autocommit(db->handle) == 0;
}

int db_changes(struct db *db)
{
    return sqlite3_changes(db->handle);
}

int64_t db_last_id(struct db *db)
{
    return sqlite3_last_insert_rowid(db->handle);
}

struct db_blob *db_blob_open(struct db *db, const char *table, const char *column, int64_t row, bool write)
{
    struct db_blob *blob;
    sqlite3_blob *handle = NULL;

    if (!note(db, sqlite3_blob_open(db->handle, "main", table, column, row, write, &handle))) {
        sqlite3_blob_close(handle);
        return NULL;
    }
    blob = memory_new(sizeof *blob);
    blob->db = db;
    blob->handle = handle;
    return blob;
}

int64_t db_blob_size(struct db_blob *blob)
{
    return sqlite3_blob_bytes(blob->handle);
}

bool db_blob_read(struct db_blob *blob, int64_t offset, char *to, size_t length)
{
    return note(blob->db, sqlite3_blob_read(blob->handle, to, (int)length, (int)offset));
}

bool db_blob_write(struct db_blob *blob, int64_t offset, struct str data)
{
    return note(blob->db, sqlite3_blob_write(blob->handle, data.data, (int)data.length, (int)offset));
}

bool db_blob_close(struct db_blob **blob)
{
    bool ok = note((*blob)->db, sqlite3_blob_close((*blob)->handle));

    memory_free(blob);
    return ok;
}

void db_checkpoint_after(struct db *db, int pages)
{
    sqlite3_wal_autocheckpoint(db->handle, pages);
}

bool db_checkpoint(struct db *db, struct db_log *log)
{
    int code = sqlite3_wal_checkpoint_v2(db->handle, NULL, SQLITE_CHECKPOINT_PASSIVE, &log->pages, &log->copied);

    if ((code & 0xff) == SQLITE_BUSY)
        *log = (struct db_log){0};
    return (code & 0xff) == SQLITE_BUSY || note(db, code);
}

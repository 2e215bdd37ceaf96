#include "directory/tables.h"

#include "base/clock.h"
#include "base/memory.h"
#include "directory/schema.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { STATEMENTS_MAX = 64, CACHE_KB = 512, RETRY_MS = 20 };

struct tables {
    struct db *db;
    size_t count;
    struct {
        const char *sql;
        struct db_query *query;
    } statements[STATEMENTS_MAX];
};

struct db *tables_db(struct tables *t)
{
    return t->db;
}

static struct db_query *keep(struct tables *t, const char *sql)
{
    struct db_query *q = db_prepare(t->db, sql);

    if (q != NULL && t->count < STATEMENTS_MAX) {
        t->statements[t->count].sql = sql;
        t->statements[t->count++].query = q;
    }
    return q;
}

/* The same literal has the same address nearly always; where it has not, it is prepared once more. */
struct db_query *tables_query(struct tables *t, const char *sql)
{
    for (size_t i = 0; i < t->count; i++)
        if (t->statements[i].sql == sql)
            return t->statements[i].query;
    return keep(t, sql);
}

/* Mail passwords and routes are in it: nobody else may read it, from its first byte on. */
static bool create_private(const char *path, char *error, size_t error_size)
{
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

    if (fd < 0 && errno == EEXIST)
        return true;
    if (fd < 0 || fchmod(fd, 0600) != 0) {
        snprintf(error, error_size, "%s: cannot create it: %s", path, strerror(errno));
        if (fd >= 0)
            close(fd);
        return false;
    }
    close(fd);
    return true;
}

/* Two processes that turn one file to WAL at the same time are not made to wait for each other by SQLite: one of them just fails. */
static struct db *open_patiently(const char *path, char *error, size_t error_size)
{
    const struct timespec pause = {.tv_nsec = RETRY_MS * 1000000L};
    const int64_t deadline = clock_now() + DB_BUSY_MS;
    struct db *db = db_open(path, DB_READ_WRITE, CACHE_KB, error, error_size);

    while (db == NULL && str_ends(str_of(error), STR("locked")) && clock_now() < deadline) {
        nanosleep(&pause, NULL);
        db = db_open(path, DB_READ_WRITE, CACHE_KB, error, error_size);
    }
    return db;
}

static struct tables *tables_new(struct db *db)
{
    struct tables *t = memory_new(sizeof *t);

    t->db = db;
    return t;
}

struct tables *tables_open(const char *path, char *error, size_t error_size)
{
    struct tables *t;
    struct db *db;

    if (!create_private(path, error, error_size))
        return NULL;
    db = open_patiently(path, error, error_size);
    if (db == NULL)
        return NULL;
    t = tables_new(db);
    if (!schema_prepare(t, path, error, error_size))
        tables_close(&t);
    return t;
}

struct tables *tables_open_read(const char *path, char *error, size_t error_size)
{
    struct db *db = db_open(path, DB_READ_ONLY, CACHE_KB, error, error_size);

    return db != NULL ? tables_new(db) : NULL;
}

void tables_close(struct tables **t)
{
    if (*t == NULL)
        return;
    db_close(&(*t)->db);
    memory_free(t);
}

static bool run(struct tables *t, const char *sql)
{
    struct db_query *q = tables_query(t, sql);

    return q != NULL && db_execute(q);
}

enum answer tables_ask(struct db_query *q, struct str name)
{
    bool found;

    if (q == NULL)
        return ANSWER_FAILED;
    db_bind_str(q, 1, name);
    found = db_step(q);
    if (!db_finish(q))
        return ANSWER_FAILED;
    return found ? ANSWER_YES : ANSWER_NO;
}

bool tables_begin_read(struct tables *t)
{
    return run(t, "BEGIN");
}

void tables_end_read(struct tables *t)
{
    run(t, "COMMIT");
}

struct status tables_begin(struct tables *t)
{
    return run(t, "BEGIN IMMEDIATE") ? status_ok() : tables_failed(t);
}

struct status tables_end(struct tables *t, struct status s)
{
    if (status_is_ok(&s) && !run(t, "COMMIT"))
        s = tables_failed(t);
    if (!status_is_ok(&s))
        run(t, "ROLLBACK"); /* fails where there is nothing to take back */
    return s;
}

struct status tables_failed(struct tables *t)
{
    return status_make(451, "4.3.0", "%s", db_error(t->db));
}

struct status tables_execute(struct tables *t, struct db_query *q)
{
    return q != NULL && db_execute(q) ? status_ok() : tables_failed(t);
}

struct status tables_refused(const char *format, ...)
{
    struct buf text = {0};
    struct status s;
    va_list args;

    va_start(args, format);
    buf_print_args(&text, format, args);
    va_end(args);
    s = status_make(550, "", "%s", buf_text(&text));
    buf_done(&text);
    return s;
}

struct status tables_unless(struct tables *t, enum answer answer, struct status refusal)
{
    if (answer == ANSWER_FAILED)
        return tables_failed(t);
    return answer == ANSWER_YES ? refusal : status_ok();
}

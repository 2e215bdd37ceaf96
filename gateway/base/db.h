/*
 * db - SQLite, and the only file that knows it.
 *
 * A struct db is one connection; it and its queries belong to one thread at a time.  A query is prepared once and used again:
 *     db_bind_str(q, 1, domain);
 *     if (db_step(q)) id = db_int(q, 0);
 *     ok = db_finish(q);
 * db_step is true for a row.  db_finish ends the use of a query: it resets it, drops its bindings, and says whether every step since
 * the last db_finish succeeded; so a failed lookup is never mistaken for an empty answer.  Bound strings are borrowed until db_finish;
 * strings of a row until the next step.  Text may hold any byte.
 *
 * A statement blocks for the disk, and for another process's write at most DB_BUSY_MS.  What failed is told by db_status as a struct
 * status that may be shown to a client: 452 4.3.1 for a full disk, 451 4.3.0 for all else; the details go to the log only.
 */
#ifndef BASE_DB_H
#define BASE_DB_H

#include "base/status.h"

enum { DB_BUSY_MS = 10000 };

struct db;
struct db_query;

/* DB_SHRINKABLE: as DB_READ_WRITE; a database that is still empty becomes one that can give its free pages back. */
enum db_mode { DB_READ_ONLY, DB_READ_WRITE, DB_CREATE, DB_SHRINKABLE };

/* Opens PATH in WAL mode with synchronous=FULL.  NULL with the reason in ERROR.  CACHE_KB bounds the page cache. */
struct db *db_open(const char *path, enum db_mode mode, int cache_kb, char *error, size_t error_size);
void db_close(struct db **db); /* also frees the queries prepared on it */

/* Text of the last failure, for logs and for administrators. */
const char *db_error(struct db *db);
struct status db_status(struct db *db);
bool db_was_constraint(struct db *db); /* the last failure was a UNIQUE or similar constraint */

/* One or more statements without rows or parameters. */
bool db_run(struct db *db, const char *sql);

/* SQL is a literal; it is prepared once and lives as long as DB.  NULL when it cannot be prepared (see db_error). */
struct db_query *db_prepare(struct db *db, const char *sql);
/* Every db_prepare on DB has succeeded: for those who prepare many. */
bool db_prepared_all(struct db *db);
void db_bind_int(struct db_query *q, int position, int64_t value);
void db_bind_str(struct db_query *q, int position, struct str value);  /* TEXT */
void db_bind_blob(struct db_query *q, int position, struct str value); /* BLOB */
void db_bind_zeros(struct db_query *q, int position, int64_t length);  /* a BLOB to be filled by db_blob_write */
void db_bind_null(struct db_query *q, int position);
void db_bind_optional(struct db_query *q, int position, struct str value); /* NULL for the empty str */
/* For a statement that somebody typed: SQL may be one that reads, and nothing else.  From then on DB does nothing else for anybody, not even
 * ATTACH or PRAGMA.  NULL: db_error says why. */
struct db_query *db_ask(struct db *db, const char *sql);
bool db_step(struct db_query *q);
int64_t db_int(struct db_query *q, int column);
struct str db_str(struct db_query *q, int column);
double db_real(struct db_query *q, int column);
bool db_is_null(struct db_query *q, int column);
enum db_kind { DB_NULL, DB_INTEGER, DB_REAL, DB_TEXT, DB_BLOB };
enum db_kind db_kind_of(struct db_query *q, int column); /* ask before the value is taken */
int64_t db_length(struct db_query *q, int column);       /* bytes of a TEXT or BLOB */
int db_column_count(struct db_query *q);
const char *db_column_name(struct db_query *q, int column);
bool db_finish(struct db_query *q);
/* For a query without rows: step and finish. */
bool db_execute(struct db_query *q);
bool db_in_transaction(struct db *db);
int db_changes(struct db *db);
int64_t db_last_id(struct db *db);

/* Reading and writing parts of one BLOB in place.  Writing needs an open transaction to be atomic. */
struct db_blob;
struct db_blob *db_blob_open(struct db *db, const char *table, const char *column, int64_t row, bool write);
int64_t db_blob_size(struct db_blob *blob);
bool db_blob_read(struct db_blob *blob, int64_t offset, char *to, size_t length);
bool db_blob_write(struct db_blob *blob, int64_t offset, struct str data);
bool db_blob_close(struct db_blob **blob);

/* After how many pages of write-ahead log a commit also copies them into the database; 0: never by itself. */
void db_checkpoint_after(struct db *db, int pages);

struct db_log {
    int pages, copied;
};

/* Copies what can be copied of the log now, besides writers and without waiting for anybody.  True also when another connection is at it. */
bool db_checkpoint(struct db *db, struct db_log *log);

#endif

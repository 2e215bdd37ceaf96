/*
 * tables - one connection to tmail.db, with the statements that were prepared on it.
 *
 * A struct tables belongs to one thread at a time.  A statement is prepared when it is first asked for and kept.  Changes stand between
 * tables_begin and tables_end, which commits what went well and takes back all else; nobody leaves in between:
 *     struct status s = tables_begin(t);
 *     if (status_is_ok(&s)) s = insert(t, …);
 *     return tables_end(t, s);
 * A change that was refused is 550 with the reason; one that could not be tried is 451 with what SQLite said.  Both are for administrators,
 * and so is the text of a success, where it has one: what else they should know.
 */
#ifndef DIRECTORY_TABLES_H
#define DIRECTORY_TABLES_H

#include "base/db.h"
#include "directory/directory.h"

struct tables;

/* For asking and changing.  A missing file is created with mode 0600; missing tables and columns are made (schema.h).  Several
 * processes may do so at the same time.  NULL with the reason in ERROR. */
struct tables *tables_open(const char *path, char *error, size_t error_size);
/* For asking only, as the file is. */
struct tables *tables_open_read(const char *path, char *error, size_t error_size);
void tables_close(struct tables **t);

struct db *tables_db(struct tables *t);
/* SQL is a literal.  NULL when it cannot be prepared: a table is missing, or the file is no database. */
struct db_query *tables_query(struct tables *t, const char *sql);

/* Runs Q, NULL where it could not be prepared, with NAME for its one parameter: has it a row? */
enum answer tables_ask(struct db_query *q, struct str name);

/* A view that other processes' changes leave alone, until the end. */
bool tables_begin_read(struct tables *t);
void tables_end_read(struct tables *t);

struct status tables_begin(struct tables *t);
struct status tables_end(struct tables *t, struct status s);

/* The status of the last failure of SQLite. */
struct status tables_failed(struct tables *t);
/* Runs a statement without rows and ends it. */
struct status tables_execute(struct tables *t, struct db_query *q);
struct status tables_refused(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* NO: success; YES: REFUSAL; FAILED: what SQLite said. */
struct status tables_unless(struct tables *t, enum answer answer, struct status refusal);

#endif

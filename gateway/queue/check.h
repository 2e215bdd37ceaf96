/*
 * check - whether queue.db is whole: SQLite's own look at the file, and what is always true of its rows (queue/README.md).
 *
 * It only reads, beside a running daemon if need be.  The look at the file takes some seconds for a large queue, and while it lasts the
 * database's log cannot start over.  What is told is told after its query has ended, so the sink may take its time.
 */
#ifndef QUEUE_CHECK_H
#define QUEUE_CHECK_H

#include "base/db.h"

enum { CHECK_PROBLEMS_MAX = 1000 }; /* that are told of one kind */

struct check_problem {
    int64_t message; /* 0: it is not about one */
    int64_t number;  /* of the recipient; 0: it is not about one */
    struct str what;
    const char *advice; /* what to do */
    bool more;          /* there are more of this kind than are told */
};

struct check {
    const char *folder;
    int64_t now;    /* clock_wall */
    int64_t latest; /* nothing is scheduled for later */
    void *context;
    void (*step)(void *context, const char *name); /* what is looked at now */
    void (*problem)(void *context, const struct check_problem *p);
};

/* False when the database failed; db_error says how. */
bool check_run(const struct check *c, struct db *db);

#endif

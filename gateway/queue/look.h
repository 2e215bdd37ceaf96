/*
 * look - queue.db for those who only read it.
 *
 * Nothing is made, changed or brought up to date, and no writer is waited for.  A query that stands open keeps the database's log from
 * starting over, so readers read fast, or by pages.
 */
#ifndef QUEUE_LOOK_H
#define QUEUE_LOOK_H

#include "base/db.h"

/* queue.db in FOLDER, made by this version.  NULL with the reason in ERROR; db_close closes it. */
struct db *look_open(const char *folder, char *error, size_t error_size);

#endif

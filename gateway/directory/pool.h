/*
 * pool - a bounded number of connections for asking, lent to one thread at a time.
 *
 * Connections are opened when they are first needed and kept, with their statements.  Who borrows waits until one is free, and gives up
 * after POOL_WAIT_MS: then, and when the database cannot be opened, there is none (the log says why).  A connection that failed is closed
 * when it comes back, so that a database which was mended is seen.
 */
#ifndef DIRECTORY_POOL_H
#define DIRECTORY_POOL_H

#include "directory/tables.h"

enum { POOL_SIZE = 8, POOL_WAIT_MS = 2 * DB_BUSY_MS };

struct pool;

struct pool *pool_new(const char *path);
void pool_free(struct pool **p); /* nobody borrows any more */

struct tables *pool_borrow(struct pool *p);
void pool_return(struct pool *p, struct tables *t, bool failed);

#endif

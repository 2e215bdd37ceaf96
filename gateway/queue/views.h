/*
 * views - what the views of queue.db show, for the manual and for whoever writes a query.
 *
 * The views themselves are in queue/schema.c; a test holds the two together.  Nothing that is told here goes away or changes its meaning
 * within a version of the program that people use.
 */
#ifndef QUEUE_VIEWS_H
#define QUEUE_VIEWS_H

#include <stddef.h>

enum { VIEW_COLUMNS_MAX = 18 };

struct view_column {
    const char *name;
    const char *help; /* NULL: the name says it, or another view */
};

struct view {
    const char *name;
    const char *help; /* what a row is */
    struct view_column columns[VIEW_COLUMNS_MAX]; /* in their order, up to a NULL name */
};

extern const struct view queue_views[];
extern const size_t queue_view_count;

#endif

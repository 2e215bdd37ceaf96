/*
 * selection - which recipients of the queue are meant, said by options such as --domain and --older.
 *
 * Each option is one condition; all that were given must hold, and an empty selection is everything.  What was typed is parsed as what it
 * is (addresses, domains in normal form, names of states, times) and bound as a parameter: it never becomes a part of the SQL.
 * A struct selection owns what it keeps.  Queries read `recipient AS r`, and `message AS m` only where the sender is asked for, because the
 * rows of messages hold their content.  They go through the queue in the order of its primary key: an index by destination would have to
 * be sorted anew for each page.  Nothing here blocks.
 */
#ifndef QUEUE_SELECTION_H
#define QUEUE_SELECTION_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/db.h"

enum selection_condition {
    SELECTION_MESSAGE,
    SELECTION_FROM_NULL,
    SELECTION_FROM_HOST,
    SELECTION_FROM_LOCAL,
    SELECTION_TO_HOST,
    SELECTION_TO_LOCAL,
    SELECTION_DOMAIN,
    SELECTION_OLDER,
    SELECTION_NEWER,
    SELECTION_ROUTE,
    SELECTION_CONDITIONS,
};

struct selection {
    struct arena arena;
    struct {
        bool given;
        int64_t number;
        struct str text; /* data NULL: the number counts */
    } values[SELECTION_CONDITIONS];
    unsigned states; /* bits 1 << state; 0: all */
    bool narrowed;   /* an option was given */
};

void selection_init(struct selection *s);
void selection_done(struct selection *s);

/* OPTION is "from", "to", "domain", "status", "older", "newer" or "route", WORD its value, NOW of clock_wall.  NULL, or what was expected
 * instead of WORD. */
const char *selection_add(struct selection *s, const char *option, struct str word, int64_t now);
/* The recipients of one message, of those that were selected. */
void selection_set_message(struct selection *s, int64_t message);

/* " FROM recipient r … WHERE …" without an end: further conditions follow with AND.  Parameters up to ?9 are the caller's. */
void selection_write(const struct selection *s, struct buf *sql);
void selection_bind(const struct selection *s, struct db_query *q);

#endif

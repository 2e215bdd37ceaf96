/*
 * turns - the jobs that wait for a next hop, where those they are from take turns.
 *
 * A flow is the number of whom a job is from.  The flows of a hop that have jobs waiting stand in a ring: the first gives its oldest
 * job and goes to the end.  Places are counted for a flow before its jobs come: turns_reserve, then turns_add or turns_give_up.  A flow
 * is known while it has jobs or places.  All hops share a table of flows, so finding one costs the same whatever their number.  Not for
 * two threads at a time.
 */
#ifndef DELIVERD_TURNS_H
#define DELIVERD_TURNS_H

#include "deliverd/job.h"

struct flow {
    struct flow *next_in_table, *next; /* in the ring */
    const struct turns *turns;
    int64_t number;
    struct job *first, **last;
    int waiting, reserved;
    size_t recipients; /* of the jobs that wait */
};

enum { TURNS_BUCKETS = 4096 };

struct turns_table {
    struct flow *buckets[TURNS_BUCKETS];
};

struct turns {
    struct turns_table *table;
    struct flow *first, **last; /* that have jobs */
    int flows;                  /* that are known */
    int waiting, reserved;
};

void turns_init(struct turns *t, struct turns_table *table);
/* NULL: it has neither jobs nor places. */
const struct flow *turns_find(const struct turns *t, int64_t flow);
void turns_reserve(struct turns *t, int64_t flow);
void turns_give_up(struct turns *t, int64_t flow);
void turns_add(struct turns *t, struct job *job);
/* NULL: none waits. */
struct job *turns_take(struct turns *t);

#endif

/*
 * gate - a bounded number of threads at a time where work is costly.
 *
 * gate_enter waits for a place, in the order of coming, at most as long as gate_init says and not beyond the process's stop; who got one
 * gives it back with gate_leave.
 */
#ifndef DIRECTORY_GATE_H
#define DIRECTORY_GATE_H

#include "base/thread.h"

/* One who waits; it lives on that thread's stack. */
struct gate_waiting {
    struct gate_waiting *next;
    struct signal wake;
    bool called;
};

struct gate {
    struct lock lock;
    int places; /* free; none is while somebody waits */
    int wait_ms;
    struct gate_waiting *first, **last;
};

void gate_init(struct gate *g, int places, int wait_ms);
void gate_done(struct gate *g); /* nobody is inside or waits */

bool gate_enter(struct gate *g);
void gate_leave(struct gate *g);

#endif

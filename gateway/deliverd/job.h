/*
 * job - one transaction to carry out: a message, those of its recipients that go the same way, and the way.
 *
 * The scheduler makes it and gets it back; in between a worker owns it.  The message may be shared with other jobs, which all end before
 * the scheduler frees it.  A worker changes nothing but the outcome of its own deliveries and what stands behind `plan` below.
 */
#ifndef DELIVERD_JOB_H
#define DELIVERD_JOB_H

#include "deliverd/window.h"
#include "queue/claim.h"
#include "route/route.h"

struct message {
    struct claimed *claimed;
    int jobs; /* that still have it; the scheduler's to count */
};

struct job {
    struct job *next;
    struct message *message;
    struct delivery *deliveries, **last;
    size_t count;
    int64_t flow; /* whom it is from: flows take turns at a hop */
    struct route_plan plan;
    bool carried_out;      /* false: it was given back before it started, */
    int64_t postponed;     /* because its hop is down: clock_wall, not before; the deliveries' status says why */
    bool hop_answered;     /* some server of the hop, or of one behind it in the plan, has answered */
    bool hop_failed;       /* none could be spoken to, though we could speak */
    struct window_ticket ticket; /* the workers' */
};

#endif

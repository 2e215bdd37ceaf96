/*
 * job - one transaction to carry out: a message, those of its recipients that go the same way, and the way.
 *
 * The scheduler makes it and gets it back; in between a worker owns it.  The message may be shared with other jobs, which all end before
 * the scheduler frees it.  A worker changes nothing but the outcome of its own deliveries and `carried_out`.
 */
#ifndef DELIVERD_JOB_H
#define DELIVERD_JOB_H

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
    struct route_plan plan;
    bool carried_out; /* false: it was given back before it started */
};

#endif

/*
 * scheduler - decides what is tried now, and records how it went.
 *
 * One thread, one connection to the queue.  A turn is one transaction: it settles all jobs that are done and claims recipients that are
 * due, going round the destinations and round the senders, as far as there is room with the workers; only after the commit do the new jobs start.  So claims and
 * results ride together, many to an fsync, and what is in memory is bounded by the workers' room, not by the backlog.  A commit that fails
 * keeps the results and tries again.
 */
#ifndef DELIVERD_SCHEDULER_H
#define DELIVERD_SCHEDULER_H

#include "deliverd/workers.h"
#include "report/bouncer.h"

struct scheduler;

/* None uses up what another needs. */
struct scheduler_crews {
    struct workers *local, *commands, *remote; /* for mailboxes, for commands of aliases, for all else */
};

struct scheduler *scheduler_open(const struct conf *conf, const struct directory *directory, const struct scheduler_crews *crews, struct bouncer *bouncer,
                                 char *error, size_t error_size);
/* Runs until the stop has been seen and the jobs are back, or its grace is over. */
void scheduler_run(struct scheduler *s);

#endif

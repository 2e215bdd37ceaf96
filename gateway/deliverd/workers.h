/*
 * workers - the threads that carry out jobs, a pool a next hop.
 *
 * A worker serves one hop and keeps its connection: it takes the hop's next job, or waits a while for one, then says QUIT and ends.  A hop
 * has at most TMAIL_DELIVERD_DESTINATION_CONCURRENCY workers, all hops together TMAIL_DELIVERD_MAX_IN_FLIGHT (and REMOTE_CONCURRENCY);
 * where those are used up, an idle worker of another hop leaves.  The functions below are the scheduler's, from its one thread; they do not
 * block.  A job that is done is in the list of workers_take_done, and `done_fd` polls readable.
 */
#ifndef DELIVERD_WORKERS_H
#define DELIVERD_WORKERS_H

#include "deliverd/attempt.h"

struct workers;

struct workers *workers_new(const struct attempt_context *context, char *error, size_t error_size);
int workers_done_fd(const struct workers *w);

enum workers_room { WORKERS_ROOM, WORKERS_POOL_FULL, WORKERS_ALL_FULL };

/* Keeps a place for one job with the hop of that key, if there is one.  A hop that does nothing always gets one; the more places are
 * taken in all, the fewer one hop may have, so that hops that hang leave room for the others.  CROWDED: only hops that do nothing.  Each
 * place is used by workers_submit or given up. */
enum workers_room workers_reserve(struct workers *w, struct str key, bool crowded);
void workers_give_up(struct workers *w, struct str key);
void workers_submit(struct workers *w, struct str key, struct job *job);
struct job *workers_take_done(struct workers *w);

/* Gives back what has not started and lets idle workers go. */
void workers_stop(struct workers *w);
/* Jobs that are with workers. */
int workers_busy(struct workers *w);

#endif

/*
 * workers - the threads that carry out jobs, a pool a next hop.
 *
 * A worker serves one hop and keeps its connection: it takes the hop's next job, or waits a while for one, then says QUIT and ends.  The
 * jobs of a hop are taken from their flows in turn (turns.h).  A hop has as many workers as its window allows (window.h), at most `a_hop`;
 * all hops together have `threads`, and where those are used up, an idle worker of another hop leaves.  What a window has learned is kept for thousands of hops that do nothing.  The functions
 * below are the scheduler's, from its one thread; they do not block.  A job that is done is in the list of workers_take_done, and `done_fd`
 * polls readable.
 */
#ifndef DELIVERD_WORKERS_H
#define DELIVERD_WORKERS_H

#include "deliverd/attempt.h"

struct workers;

struct workers_limits {
    int64_t threads, a_hop;
    int64_t down_ms; /* until a hop that was found down is asked again */
};

struct workers *workers_new(const struct attempt_context *context, const struct workers_limits *limits, char *error, size_t error_size);
int workers_done_fd(const struct workers *w);

/* POOL_FULL is said of the hop and the flow: another flow may have room there. */
enum workers_room { WORKERS_ROOM, WORKERS_POOL_FULL, WORKERS_ALL_FULL, WORKERS_DOWN };

struct workers_place {
    enum workers_room room;
    bool probing;      /* DOWN: a probe is out, and soon it is known whether it still is */
    int64_t until;     /* DOWN: when to ask again, clock_wall */
    struct status why; /* DOWN */
};

/* Keeps a place for one job of FLOW with the hop of that key, if there is one.  A hop that does nothing always gets one; the more
 * places are taken in all, the fewer one hop may have, so that hops that hang leave room for the others.  Flows share the places of a
 * hop: one that has none gets one even where the others have all of theirs, up to hundreds.  CROWDED: only hops that do nothing.  A hop
 * that is down gets one place, for a probe, when its time is over, or for a job that an administrator asked for (FLUSHED, clock_wall;
 * 0: never) after it went down.  Each place is used by workers_submit, with job->flow, or given up. */
enum workers_room workers_reserve(struct workers *w, struct str key, int64_t flow, int64_t flushed, bool crowded,
                                  struct workers_place *place);
void workers_give_up(struct workers *w, struct str key, int64_t flow);
/* When the hop goes down the jobs that still wait come back with `postponed`. */
void workers_submit(struct workers *w, struct str key, struct job *job);
struct job *workers_take_done(struct workers *w);

/* Gives back what has not started and lets idle workers go. */
void workers_stop(struct workers *w);
/* Jobs that are with workers. */
int workers_busy(struct workers *w);

#endif

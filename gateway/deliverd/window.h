/*
 * window - how many jobs a next hop may have at a time, and when it is left alone.
 *
 * It begins at WINDOW_START.  Every job that the hop answered opens it, by one up to where it closed last, from there on by one for a
 * windowful of jobs.  A job for which the hop could not be spoken to halves it, though only once for all jobs that ran together.  A window
 * that would close below one, or a windowful of failures with no answer among them, is a hop that is down: it gets nothing for `dead_time`,
 * then one job as a probe.  An answer to the probe opens the window as at the beginning; each further failure doubles the time, up to
 * WINDOW_DOWN_MOST_MS, or `dead_time` where that is longer.  Times vary by a tenth, so that hops that died together do not wake together.
 * A `dead_time` of 0 is never.
 *
 * Pure: it holds no lock and knows no clock; `now` is any clock that does not go back, `flushed` a point of the same, 0 for never.
 */
#ifndef DELIVERD_WINDOW_H
#define DELIVERD_WINDOW_H

#include "base/status.h"

enum { WINDOW_START = 5, WINDOW_DOWN_MOST_MS = 600000 };

struct window {
    int64_t most, dead_time;
    int64_t size;      /* in thousandths of a job */
    int64_t calm;      /* the size up to which it opens quickly */
    uint64_t era;      /* counts how often it closed or came up */
    uint64_t opened;   /* the era in which it came up last: failures of older jobs are old news */
    int64_t in_a_row;  /* failures without an answer between them */
    int64_t cohort;    /* the largest size in which one of them began */
    bool down, probing;
    int64_t down_since, down_until, probed_at;
    int failed_probes; /* since it is down */
    uint32_t random;
    struct status why; /* it is down */
};

/* What a job has to remember of the window from its start to its end. */
struct window_ticket {
    uint64_t era;
    int64_t size;
    bool probe;
};

void window_init(struct window *w, int64_t most, int64_t dead_time, uint32_t seed);
/* Whole jobs, at least one. */
int64_t window_size(const struct window *w);
/* It has not learned anything that is worth being kept. */
bool window_is_new(const struct window *w);

enum window_answer { WINDOW_OPEN, WINDOW_PROBE, WINDOW_DOWN };

/* May a job be given out?  PROBE: yes, after window_begin_probe.  FLUSHED: when an administrator asked for the job; later than when the
 * hop went down, it may be a probe at once.  DOWN: no, and *UNTIL is when to ask again. */
enum window_answer window_ask(const struct window *w, int64_t now, int64_t flushed, int64_t *until);
void window_begin_probe(struct window *w, int64_t now);

/* A job begins; t->probe is the caller's. */
void window_begin(const struct window *w, struct window_ticket *t);
/* The three ends of a job: the hop answered, the hop could not be spoken to, or nothing was learned of it. */
void window_answered(struct window *w, const struct window_ticket *t);
void window_failed(struct window *w, const struct window_ticket *t, int64_t now, const struct status *why);
void window_learned_nothing(struct window *w, const struct window_ticket *t);

#endif

/*
 * claimer - takes messages out of the queue for the workers: what is due becomes jobs.
 *
 * claimer_take loads a message and gives each of its recipients that are due to a job of its way, if the next hop has a place for one
 * (workers.h) and the rates allow it (rates.h).  A recipient without a way, or whose hop is down, is put off, or given up where it has
 * waited for too long.  All that happens in the scheduler's transaction and from its thread; the jobs of a turn start after its commit
 * (claimer_submit), or are forgotten (claimer_drop).  What is in memory is bounded by the workers' places, not by the backlog.
 */
#ifndef DELIVERD_CLAIMER_H
#define DELIVERD_CLAIMER_H

#include "deliverd/outcome.h"
#include "deliverd/rates.h"
#include "deliverd/workers.h"

enum { CLAIMER_UNREADABLE_MOST = 256 };

struct claimer {
    struct route_means routes;
    const struct outcome_rules *rules;
    struct workers *local, *commands, *remote; /* those for mailboxes, for commands of aliases, and for all else */
    struct rates *rates;
    struct claims *claims;
    int64_t owner;
    uint64_t turns;            /* of routes with equal priorities */
    struct job *jobs, **last;  /* of this turn */
    int made;                  /* how many */
    int64_t in_hand;           /* recipients in memory */
    bool over;                 /* a recipient was given up in this turn */
    bool unread;               /* the content of the message at hand could not be read */
    int64_t unreadable[CLAIMER_UNREADABLE_MOST];
    int unreadable_count, unreadable_held;
};

/* From good to bad. */
enum claim_result {
    CLAIM_DONE,
    CLAIM_BLOCKED,  /* its next hop has no place */
    CLAIM_ALL_FULL, /* nobody has, but hops that do nothing */
    CLAIM_FAILED,   /* the database */
};

void claimer_begin(struct claimer *c);
/* The recipients of MESSAGE that are due at NOW. */
enum claim_result claimer_take(struct claimer *c, int64_t message, int64_t now);
void claimer_submit(struct claimer *c);
void claimer_drop(struct claimer *c);
/* JOBS are done and recorded: they, and messages without other jobs, are gone. */
void claimer_free(struct claimer *c, struct job **jobs);

/* A message that could not be read ended its turn; it is never looked at again, and this holds it.  Outside a transaction. */
void claimer_hold_unreadable(struct claimer *c);

#endif

/*
 * manage - what an administrator does to the queue, with or without a running daemon.
 *
 * A change goes over a selection in steps: some hundred recipients are picked, then changed in one short transaction with what the history
 * says about it, so that those who receive and deliver never wait long; after each step `progress` may stop it.  What was changed is in
 * force, and the deliverers are woken.  A recipient that is being delivered is marked instead (recipient.wish), and the deliverer acts on
 * it when the attempt ends.  Recipients of one message are changed together, so that one report tells of them all.
 */
#ifndef QUEUE_MANAGE_H
#define QUEUE_MANAGE_H

#include "queue/queue.h"
#include "queue/selection.h"

enum manage_verb {
    MANAGE_FLUSH,   /* scheduled: due now, and the memory of dead hosts does not count */
    MANAGE_HOLD,    /* scheduled: held */
    MANAGE_RELEASE, /* held, failed: scheduled, with all their tries again; a mark on what is being delivered goes */
    MANAGE_DISCARD, /* all: gone, and nobody is told */
    MANAGE_BOUNCE,  /* all: failed, what has failed with the reason it has; and reported */
    MANAGE_REROUTE, /* all: go by one route; scheduled: due now */
    MANAGE_PURGE,   /* failed: gone, and nobody is told */
    MANAGE_VERBS,
};

struct manage_change {
    enum manage_verb verb;
    int64_t route;   /* MANAGE_REROUTE: 0: the rules decide again */
    bool history;    /* it is written down */
    const char *who; /* for the history */
    /* MANAGE_BOUNCE: makes the reports of MESSAGE, inside the transaction; false: take it all back. */
    bool (*report)(void *context, int64_t message);
    /* After each step, how many recipients it has changed or marked; false: stop here.  NULL: nobody asks. */
    bool (*progress)(void *context, int64_t recipients);
    void *context;
};

struct manage_result {
    int64_t done;   /* recipients that were changed */
    int64_t marked; /* recipients that will be when their attempts end */
    bool stopped;   /* by progress */
};

/* The states, as bits, of what VERB acts on or marks; a release is not about what is being delivered, though it takes marks off. */
unsigned manage_states(enum manage_verb verb);
/* False when a step failed; the steps before are in force and counted. */
bool manage_change(struct queue *q, const struct selection *s, const struct manage_change *change, struct manage_result *result);

#endif

/*
 * round - going round those who have mail waiting, so that everybody is first once.
 *
 * One kind of round visits destinations, the other flows (senders, queue/schema.c).  A destination with a long queue is one visit in the one,
 * a sender with a long queue one in the other; so neither delays the next message of others.  A visit to a sender takes something from some of
 * its destinations, and the next visit from the next.  A round begins where the last one stopped, goes on from the top when it reaches the
 * bottom, and is complete when it is where it began.  It blocks for the database; its caller is in a transaction.
 */
#ifndef DELIVERD_ROUND_H
#define DELIVERD_ROUND_H

#include "queue/claim.h"

enum { ROUND_FLOWS = 256 };

struct round_place {
    char domain[DOMAIN_SIZE]; /* of a destination */
    int64_t flow;             /* of a sender */
};

struct round {
    struct claims *claims;
    bool by_flow;
    struct round_place began, at; /* no domain, flow -1: the top */
    bool wrapped, complete;
    struct round_place visited[ROUND_FLOWS]; /* up to which destination, of flows that share the slot the last */
};

void round_init(struct round *r, struct claims *claims, bool by_flow);
/* From the top again; the next round_next begins a round. */
void round_reset(struct round *r);
/* Goes to the next place, of destinations to one whose mail is due at NOW, passing at most MOST others on the way.  1: it is at R->at; 0: the
 * round is complete, or MOST were passed; -1: the database failed. */
int round_next(struct round *r, int64_t now, int most);
/* What is due there, at most MOST; their number, or -1. */
int round_due(struct round *r, int64_t now, struct due *to, int most);

#endif

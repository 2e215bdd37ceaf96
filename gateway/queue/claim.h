/*
 * claim - the deliverer's side of the queue: what is due, taking it, and saying how it went.
 *
 * An attempt is marked before it starts and settled when it ended: delivered recipients go (and the message with its last one), the others
 * stay with the status they met.  All functions that change something run inside a transaction of the caller (queue_begin, queue_commit),
 * many in one.  A bool is false when the database failed; db_status of the queue's db says how.
 */
#ifndef QUEUE_CLAIM_H
#define QUEUE_CLAIM_H

#include "queue/owner.h"
#include "queue/queue.h"

enum { CLAIM_CRASHES_MAX = 3, CLAIM_CONTENT_MAX = 64 << 10, CLAIM_HOST_SIZE = 320, CLAIM_TLS_SIZE = 128 };

struct claims {
    struct queue *queue;
    bool history; /* attempts are kept */
    struct db_query *next_domain, *next_flow, *next_of_flow, *due, *due_of_flow, *due_first, *next_due, *message, *recipients, *mark;
    struct db_query *delivered, *later, *failed, *relayed, *give_back, *postpone, *attempt, *crashes;
    struct db_query *owners, *recover;
    struct db_query *content, *hold, *hold_damaged, *give_back_all, *ahead, *bring_forward;
};

enum outcome { OUTCOME_OPEN, OUTCOME_DELIVERED, OUTCOME_LATER, OUTCOME_FAILED };

/* A recipient in progress, and then its outcome. */
struct delivery {
    struct delivery *next;
    int64_t message;
    struct recipient recipient;
    int64_t due;     /* when it became due */
    int64_t flushed; /* 0: nobody asked */
    int64_t attempts; /* with this one */
    int64_t took;     /* ms of the attempt */
    int64_t next_due; /* with OUTCOME_LATER */
    struct status status;
    bool warned;      /* its sender has been told, or will be, that it is late */
    bool warn;        /* it is late, and its sender is to be told now */
    bool greylisted;  /* the temporary status is a server's answer to RCPT, as a greylist gives it */
    bool relayed;     /* who took it will not say whether it arrived, and the sender wants to know (RFC 3461 section 5.2.2) */
    bool at_home;     /* who took it keeps it: with `relayed` the sender is told that it was delivered (RFC 3461 section 6.2.7.1) */
    bool left_over; /* the server wants it in a transaction of its own */
    bool ours;      /* the status is no answer to the mail, but what we conclude from what the server offers */
    enum outcome outcome;
    char host[CLAIM_HOST_SIZE]; /* next hop spoken to, NAME[ADDRESS]:PORT; "": none */
    char tls[CLAIM_TLS_SIZE];   /* how: "TLSv1.3 TLS_AES_256_GCM_SHA384 verified", "none"; "": nobody was spoken to */
};

/* A message with those of its recipients that are due; envelope->recipients is not used. */
struct claimed {
    struct arena arena;
    struct envelope envelope;
    int64_t size;
    bool has_content; /* small: claims_load_content brings it along */
    struct str content;
    struct delivery *deliveries;
};

struct due {
    int64_t message;
    int64_t number;
};

/* HISTORY: attempts and what became of messages are kept in the tables `history` and `past`. */
bool claims_init(struct claims *c, struct queue *q, bool history);

/* What is due at NOW, longest first, at most MOST; their number, or -1. */
int claims_due_first(struct claims *c, int64_t now, struct due *to, int most);
/* When the first that is not due at NOW will be: 1, 0 where there is none, or -1. */
int claims_next_due(struct claims *c, int64_t now, int64_t *due);

/* The first domain after AFTER ("" to begin) that has scheduled recipients, and when its first is due: 1 found, 0 none, -1 failed. */
int claims_next_domain(struct claims *c, struct str after, char *domain, int64_t *due);
/* The first flow after AFTER (-1 to begin) that has scheduled recipients. */
int claims_next_flow(struct claims *c, int64_t after, int64_t *flow);
/* As claims_next_domain, of one flow. */
int claims_next_of_flow(struct claims *c, int64_t flow, struct str after, char *domain, int64_t *due);
/* Up to MOST recipients of DOMAIN that are due; their number, or -1.  FLOW -1: of all flows. */
int claims_due(struct claims *c, const char *domain, int64_t flow, int64_t now, struct due *to, int most);
/* Holds scheduled recipients whose columns are not of the kind that the program writes: nobody would find them, or all the time.  It looks
 * at all there is. */
bool claims_hold_damaged(struct claims *c);
/* Loads a message, without its content, and its due recipients.  1, 0 when it is gone, or -1.  claimed_free frees it. */
int claims_load(struct claims *c, int64_t message, int64_t now, struct claimed **loaded);
void claimed_free(struct claimed **c);

/* False when it cannot be read whole. */
bool claims_load_content(struct claims *c, struct claimed *m);

bool claims_mark(struct claims *c, const struct delivery *d, int64_t owner);

/* What is over stays, failed or relayed, until its sender has been told (over.h); what needs no report goes at once. */
bool claims_delivered(struct claims *c, const struct delivery *d, int64_t now);
bool claims_failed(struct claims *c, const struct delivery *d, int64_t now);
/* What an administrator wished for during the attempt is done now: it is held, discarded or failed. */
bool claims_later(struct claims *c, const struct delivery *d, int64_t now, int64_t due);
/* The attempt did not take place; the same wishes count. */
bool claims_give_back(struct claims *c, const struct delivery *d);
/* No attempt before DUE, because of WHY: that is none of the recipient's own, and costs it none. */
bool claims_postpone(struct claims *c, const struct delivery *d, int64_t due, const struct status *why);

/* What dead deliverers had in hand has spent an attempt: due at once after the first crash, after RETRY_MS after the second, held after the
 * third.  *RECOVERED counts them. */
bool claims_recover(struct claims *c, const struct owner *self, int64_t now, int64_t retry_ms, int64_t *recovered);
/* What OWNER still has in hand goes back, due as it was. */
bool claims_give_back_all(struct claims *c, int64_t owner);
/* Keeps a message that cannot be read out of everybody's way, for an administrator to look at. */
bool claims_hold(struct claims *c, int64_t message, const char *why);
/* Is anything due later than LATEST?  1, 0, or -1.  It looks at all there is: not for a transaction, where others would wait for it. */
int claims_are_ahead(struct claims *c, int64_t latest);
/* What is due later than LATEST was put there by a clock that was wrong: it is due NOW. */
bool claims_bring_forward(struct claims *c, int64_t now, int64_t latest);

#endif

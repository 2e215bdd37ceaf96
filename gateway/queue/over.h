/*
 * over - the reporter's side of the queue: recipients whose fate is settled, or who are late, and whose sender has not been told.
 *
 * over_next finds messages with such recipients by an index that holds no others, over_load brings one with them, and over_close makes
 * them go, and the message with its last one, or notes of the late ones that it was said.  All that changes something runs in a transaction
 * of the caller, and what was loaded in it is what is closed in it: of several processes one tells.  A bool is false, and a number -1, when
 * the database failed.
 */
#ifndef QUEUE_OVER_H
#define QUEUE_OVER_H

#include "queue/queue.h"

/* How long those that are over wait for the others of their message that are being delivered. */
enum { OVER_WAIT_MS = 30 * 1000 };

struct over {
    struct queue *queue;
    bool history, failures;
    struct db_query *next, *wait, *message, *recipients;
    struct db_query *reported, *last_event, *remove, *told, *hold;
};

struct over_recipient {
    struct over_recipient *next;
    enum recipient_state state; /* below RECIPIENT_FAILED: it is late */
    struct str address, orcpt;
    unsigned notify;
    int code;
    struct str enhanced, reason, host;
    bool from_peer;
    int64_t tried; /* 0: never */
};

/* The envelope's own recipients are not used. */
struct over_message {
    struct arena arena;
    struct envelope envelope;
    int64_t size;
    struct over_recipient *recipients;
};

/* HISTORY: what became of recipients and messages is kept.  FAILURES: what failed is over; without, it waits for an administrator. */
bool over_init(struct over *o, struct queue *q, bool history, bool failures);

/* The first message after AFTER, which has waited for its others long enough: 1, 0 or -1. */
int over_next(struct over *o, int64_t after, int64_t now, int64_t *message);
/* 1, 0 when it is gone, or -1.  over_free frees it. */
int over_load(struct over *o, int64_t message, struct over_message **loaded);
void over_free(struct over_message **m);
/* Appends the first MOST octets of the content to BODY.  False: it is not there as it was put, or BODY failed. */
bool over_content(struct over *o, const struct over_message *m, int64_t most, struct body *body);

/* Notes in the history that REPORT tells of MESSAGE. */
bool over_reported(struct over *o, int64_t message, int64_t report, int64_t now);
/* Those that were loaded go, or are told from now on. */
bool over_close(struct over *o, int64_t message, int64_t now);
/* Keeps a message that cannot be reported out of everybody's way, for an administrator to look at. */
bool over_hold(struct over *o, int64_t message, const char *why);

#endif

/*
 * history - what has happened to messages, those that wait and those that are gone.
 *
 * The tables `history` and `past` of queue.db (queue/schema.c); who settles a recipient writes them in the same transaction.  history_read
 * takes all that is known of one message at one moment, by any connection, into memory of its own, so that who shows it may take his time.
 * history_prune is for a thread that comes by now and then.
 */
#ifndef QUEUE_HISTORY_H
#define QUEUE_HISTORY_H

#include "queue/queue.h"

/* A recipient that was accepted. */
struct history_recipient {
    struct history_recipient *next;
    struct str address, taken;  /* "": nobody wrote down why */
    enum recipient_state state; /* 0: it is gone */
    enum recipient_wish wish;
    int64_t due; /* of what is scheduled; else 0 */
    int64_t attempts;
};

struct history_event {
    struct history_event *next;
    int64_t at;
    struct str recipient; /* "": the message as a whole */
    struct str event;
    int64_t attempt; /* 0: it was none */
    int64_t took;    /* ms; -1: not known */
    struct str host, tls, enhanced, reason;
    int code;        /* 0: none */
};

struct history {
    struct arena arena;
    int64_t id, arrived, size;
    bool waits; /* it is in the queue; else it is gone */
    int64_t kind; /* enum message_kind */
    struct str session, sender, user, client, helo, via, envid;
    struct history_recipient *recipients; /* those that wait, in the order of RCPT; then those that are gone, in the order of that */
    struct history_event *events;         /* in the order in which they happened */
};

/* 1, 0: the message is not known, or not any more; -1: failed.  history_done frees it, whatever was returned. */
int history_read(struct history *h, struct db *db, int64_t id);
void history_done(struct history *h);

struct history_pruner {
    struct queue *queue;
    struct db_query *newest, *oldest, *remove, *forget;
};

bool history_pruner_init(struct history_pruner *p, struct queue *q);
/* Removes the oldest rows that are older than KEEP_MS, or more than MOST_ROWS, and with the last row of a message that is gone what else is
 * known of it: up to LIMIT rows in one short transaction of its own, and none at all where there is nothing to remove.  How many; fewer
 * than LIMIT: that was all for now; -1: failed. */
int history_prune(struct history_pruner *p, int64_t keep_ms, int64_t most_rows, int limit);

#endif

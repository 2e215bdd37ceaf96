/*
 * manage - what an administrator sees of the queue and does to it, with or without a running daemon.
 *
 * Changes are single transactions; they are in force when they return, and the deliverers have been woken.  A recipient that is being
 * delivered is left alone.  What is listed is read by pages of some hundred rows, so that a long queue costs no memory and a slow reader
 * holds nothing.
 */
#ifndef QUEUE_MANAGE_H
#define QUEUE_MANAGE_H

#include "queue/queue.h"

struct queue_row {
    int64_t id;
    struct str sender;
    struct str recipient;
    enum recipient_state state;
    int64_t added;
    int64_t next; /* 0: no attempt is planned */
    int64_t attempts;
    int64_t crashes;
    int64_t tried; /* 0: never */
    int64_t size;
    struct str host, enhanced, reason, tls;
    int code;
};

typedef void (*queue_row_sink)(void *context, const struct queue_row *row);

/* Rows in the order of arrival; MESSAGE 0: of all messages. */
bool manage_list(struct queue *q, int64_t message, queue_row_sink sink, void *context);
bool manage_count(struct queue *q, int64_t *messages, int64_t *recipients);

struct queue_facts {
    struct str session, client, helo, user, envid;
    int body, ret;
    bool smtputf8;
};
/* 1 with the facts (valid until the next call), 0: no such message, -1: failed. */
int manage_facts(struct queue *q, int64_t message, struct queue_facts *facts);

/* How many recipients a change met: `done` were changed, `busy` are being delivered now. */
struct manage_result {
    int64_t done, busy;
};

bool manage_discard(struct queue *q, int64_t message, struct manage_result *result);
bool manage_hold(struct queue *q, int64_t message, struct manage_result *result);
bool manage_release(struct queue *q, int64_t message, struct manage_result *result);
/* Due now, and the memory of dead hosts does not count.  MESSAGE 0: all; DOMAIN not empty: the recipients of that domain. */
bool manage_flush(struct queue *q, int64_t message, struct str domain, struct manage_result *result);

#endif

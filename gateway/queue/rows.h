/*
 * rows - the queue as an administrator sees it: listed and counted, with or without a running daemon.
 *
 * Lists are read by pages of some hundred rows, so that a long queue costs no memory and a slow reader holds nothing; what arrives or
 * leaves meanwhile may or may not be seen.  Counting reads recipients alone: the rows of messages hold their content.
 */
#ifndef QUEUE_ROWS_H
#define QUEUE_ROWS_H

#include "queue/queue.h"
#include "queue/selection.h"

struct queue_row {
    int64_t id;
    struct str sender;
    struct str recipient;
    enum recipient_state state;
    enum recipient_wish wish;
    int64_t added;
    int64_t next; /* 0: no attempt is planned */
    int64_t attempts;
    int64_t crashes;
    int64_t tried; /* 0: never */
    int64_t size;
    int64_t route; /* that was chosen; 0: none */
    struct str host, enhanced, reason, tls, taken, orcpt;
    int code;
};

typedef void (*queue_row_sink)(void *context, const struct queue_row *row);

/* Rows in the order of arrival, at most LIMIT (0: all). */
bool rows_list(struct queue *q, const struct selection *s, int64_t limit, queue_row_sink sink, void *context);

struct queue_count {
    int64_t messages, recipients;
    int64_t in_progress; /* of the recipients */
};
bool rows_count(struct queue *q, const struct selection *s, struct queue_count *count);
/* Only those of the selection whose state is one of the bits of STATES. */
bool rows_count_states(struct queue *q, const struct selection *s, unsigned states, struct queue_count *count);

#endif

/*
 * queue - the messages that we have taken responsibility for; the only thing that smtpd and deliverd share.
 *
 * One SQLite database, queue.db in the store folder, tables `message` and `recipient` (queue/schema.c documents each column).  A message
 * exists if and only if its row exists, content included: there are no other files to lose or to find again.  Receivers put messages
 * (commit.h groups them into transactions), deliverers claim recipients and settle them (claim.h), administrators look and change
 * (manage.h).
 *
 * A struct queue is one connection and belongs to one thread at a time.  Its calls block for the disk and for other writers, at most
 * DB_BUSY_MS.  Failures come back as a status whose text a client may see; the log has the details.
 */
#ifndef QUEUE_QUEUE_H
#define QUEUE_QUEUE_H

#include "base/db.h"
#include "message/body.h"
#include "message/envelope.h"
#include "queue/turn.h"

/* From RECIPIENT_FAILED on they are over, and stay until that has been told (over.h). */
enum recipient_state {
    RECIPIENT_SCHEDULED = 1,
    RECIPIENT_IN_PROGRESS = 2,
    RECIPIENT_HELD = 3,
    RECIPIENT_FAILED = 4,
    RECIPIENT_DELIVERED = 5,
    RECIPIENT_RELAYED = 6,
    RECIPIENT_DISCARDED = 7,
};
/* What an administrator wants of a recipient that is being delivered. */
/* How a recipient ends that an administrator bounces; literals of SQL. */
#define QUEUE_BOUNCED_CODE "554"
#define QUEUE_BOUNCED_ENHANCED "5.0.0"
#define QUEUE_BOUNCED_REASON "bounced by the administrator"
enum recipient_wish { WISH_NOTHING, WISH_HOLD, WISH_DISCARD, WISH_BOUNCE };

struct queue {
    struct db *db;
    char folder[512];
    struct turn turn;
    struct db_query *begin, *commit, *rollback;
    struct db_query *put_message, *put_recipient, *put_refusal, *remember, *forget;
};

/* Opens or creates the queue in FOLDER, which exists.  False with the reason in ERROR. */
bool queue_open(struct queue *q, const char *folder, char *error, size_t error_size);
void queue_close(struct queue *q);

bool queue_begin(struct queue *q);  /* a write transaction; waits for its turn among the writers */
bool queue_commit(struct queue *q); /* durable when it returns true; rolled back when false */
void queue_rollback(struct queue *q);

/* Puts a message with all its recipients, due at once, and what was refused of it.  Inside a transaction. */
bool queue_put(struct queue *q, const struct envelope *e, struct body *body);

/* A message without recipients goes; HISTORY: what is known of it stays in the table `past`.  One that has some is left alone.  Inside a
 * transaction. */
bool queue_forget(struct queue *q, int64_t id, bool history);

/* Copies the content of message ID into BODY.  False: gone, or failed (*WHY). */
bool queue_read_content(struct queue *q, int64_t id, struct body *body, struct status *why);

/* SIZE more bytes fit the store's file system and leave MIN_FREE; true when it cannot tell. */
bool queue_has_space(const char *folder, int64_t size, int64_t min_free);

const char *recipient_state_name(enum recipient_state state);

#endif

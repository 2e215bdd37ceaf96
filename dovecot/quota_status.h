/*
 * quota_status - is there room in a mailbox?  Asked of Dovecot's quota-status service, which speaks Postfix's policy delegation protocol:
 * lines `name=value` up to an empty one, each way; the answer has `action=`.
 *
 * One connection a question.  Only a 4xx or 5xx of Dovecot's refuses.  Whatever else happens the mailbox is taken to have room: Dovecot
 * refuses what does not fit when it is delivered.  An answer that does not come within QUOTA_STATUS_MS, or is none, is a line in the log,
 * and for QUOTA_STATUS_PAUSE_MS nobody is asked.  What Dovecot says is bounded.  Blocks for the DNS and the network; ends when the process
 * is told to stop.  Any thread may call.
 */
#ifndef DOVECOT_QUOTA_STATUS_H
#define DOVECOT_QUOTA_STATUS_H

#include "base/status.h"
#include "conf/endpoint.h"
#include "net/dns.h"

enum { QUOTA_STATUS_MS = 5000, QUOTA_STATUS_PAUSE_MS = 5000, QUOTA_STATUS_ANSWER_MAX = 4096 };

struct quota_status;

/* E and DNS are borrowed for good; DNS is asked where E has a name. */
struct quota_status *quota_status_new(const struct endpoint *e, struct dns *dns);
void quota_status_free(struct quota_status **q);

/* ADDRESS is the mailbox's, SIZE that of the message, 0: not known.  2xx, or what Dovecot refuses with. */
struct status quota_status_ask(struct quota_status *q, struct str address, uint64_t size);

/* The protocol. */
enum quota_answer {
    QUOTA_ROOM,    /* OK, DUNNO */
    QUOTA_REFUSED, /* STATUS has it */
    QUOTA_OTHER,   /* an action that says nothing of the room; STATUS has its words, to be logged */
    QUOTA_NONE,    /* it is no answer */
};

/* A value's newlines and NULs would be lines of their own: they become `?`. */
void quota_status_write(struct str address, uint64_t size, struct buf *to);
/* ANSWER is all up to its empty line, which may be there or not. */
enum quota_answer quota_status_read(struct str answer, struct status *status);

#endif

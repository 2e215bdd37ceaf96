/*
 * bounce - tells senders what became of their mail, a message at a time.
 *
 * bounce_settle looks at those recipients of a message that are over (queue/over.h): it decides by NOTIFY (RFC 3461 section 4.1, 5.2) who is
 * to be told of what, puts one report for all of them into the queue, notes it in the history, and removes the recipients, or marks those
 * that are only late.  All of it belongs to the caller's transaction: a recipient is reported once, or is still there to be reported.
 * Mail from the null sender is never answered: the log alone tells of it.  TMAIL_BOUNCE_POSTMASTER hears of our own reports that cannot be
 * delivered; what cannot be delivered to the postmaster is dropped with a line in the log, too.
 */
#ifndef REPORT_BOUNCE_H
#define REPORT_BOUNCE_H

#include "conf/conf.h"
#include "directory/directory.h"
#include "queue/over.h"

/* A recipient that nobody is told about though it failed. */
struct bounce_drop {
    struct bounce_drop *next;
    struct str address, reason;
    const char *why;
    bool expected; /* its sender wanted it so */
};

struct bounce_result {
    struct arena arena;
    int64_t message;
    struct str session;
    int64_t report; /* queue id of the report that was made; 0: none was due */
    int told;       /* recipients that it tells of */
    int removed;    /* recipients that are gone */
    int dropped;    /* of them, those in `drops` */
    struct bounce_drop *drops;
    const char *held; /* why the message could not be reported, and waits for an administrator; NULL: it could */
    struct status failure; /* why bounce_settle returned false */
};

struct bounce_means {
    const struct conf *conf;
    const struct directory *directory; /* who is told may be an alias of ours; NULL: all are told as they are called */
};

/* Where O leaves out what failed nobody is told of anything, else all are, whatever TMAIL_BOUNCE_ENABLED says.  False when the database,
 * the directory or the scratch folder failed; the caller rolls back.  RESULT belongs to the caller in any case. */
bool bounce_settle(struct over *o, const struct bounce_means *means, int64_t message, struct bounce_result *result);
/* What is to be logged, after the commit. */
void bounce_log(const struct bounce_result *result);
void bounce_done(struct bounce_result *result);

#endif

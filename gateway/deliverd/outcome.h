/*
 * outcome - what becomes of a recipient after an attempt, recorded in the queue and in the log.
 *
 * Delivered: it goes.  Temporary: later (queue/backoff.h), until TMAIL_DELIVERD_QUEUE_LIFETIME has passed since the message came, or
 * TMAIL_DELIVERD_QUEUE_BOUNCES_LIFETIME where nobody would be told of a failure; a last attempt is made when that time is over.  Permanent, or
 * too old: failed, with the reason.  Who is to be told that a message is late is decided here, too: TMAIL_BOUNCE_DELAY.  It is recorded inside
 * the scheduler's transaction and logged after it.
 */
#ifndef DELIVERD_OUTCOME_H
#define DELIVERD_OUTCOME_H

#include "conf/conf.h"
#include "queue/backoff.h"
#include "queue/claim.h"

struct outcome_rules {
    const struct conf *conf;
    struct backoff backoff;
};

struct outcome_rules outcome_rules_of(const struct conf *conf);
/* Decides once, from d->status: another call changes nothing.  What is left over stays open, and goes back to the queue as it was. */
void outcome_decide(const struct outcome_rules *rules, const struct envelope *e, struct delivery *d);
bool outcome_record(struct claims *claims, const struct delivery *d);
void outcome_log(const struct envelope *e, const struct delivery *d);

/* A delay of D is to be told now, and was not yet. */
bool outcome_is_late(const struct conf *conf, const struct envelope *e, const struct delivery *d);
/* Its sender is to be told something: that it is late, or that it has been in the queue for as long as it may. */
bool outcome_wants_word(const struct conf *conf, const struct envelope *e, const struct delivery *d);
/* DUE, or the time before it at which that will be so. */
int64_t outcome_not_after_word(const struct conf *conf, const struct envelope *e, const struct delivery *d, int64_t due);

#endif

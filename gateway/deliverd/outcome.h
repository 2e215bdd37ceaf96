/*
 * outcome - what becomes of a recipient after an attempt, recorded in the queue and in the log.
 *
 * Delivered: it goes.  Temporary: later, until TMAIL_DELIVERD_QUEUE_LIFETIME has passed since the message came.  Permanent, or too old:
 * failed, with the reason.  It is recorded inside the scheduler's transaction and logged after it.
 */
#ifndef DELIVERD_OUTCOME_H
#define DELIVERD_OUTCOME_H

#include "conf/conf.h"
#include "queue/claim.h"

/* Decides once, from d->status: another call changes nothing.  What is left over stays open, and goes back to the queue as it was. */
void outcome_decide(const struct conf *conf, const struct envelope *e, struct delivery *d);
bool outcome_record(struct claims *claims, const struct conf *conf, const struct delivery *d);
void outcome_log(const struct envelope *e, const struct delivery *d);

#endif

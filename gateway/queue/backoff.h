/*
 * backoff - when to try again.
 *
 * The first waits stand in a list, TMAIL_DELIVERD_RETRY_TIMES, or in another for recipients that were told to come again
 * (TMAIL_DELIVERD_RETRY_GREYLIST); behind its end the wait doubles from MIN with each attempt, but is never shorter than the last of the list.
 * None is longer than MAX, and each is moved by up to a tenth either way, so that what failed together does not come back together.  Pure but for the random number.
 */
#ifndef QUEUE_BACKOFF_H
#define QUEUE_BACKOFF_H

#include "conf/conf.h"
#include "conf/times.h"

struct backoff {
    struct times first, greylist;
    int64_t min, max; /* ms */
};

struct backoff backoff_of(const struct conf *conf);
/* Milliseconds to wait after ATTEMPTS have failed; none counts as one. */
int64_t backoff_delay(const struct backoff *b, int64_t attempts, bool greylisted);

#endif

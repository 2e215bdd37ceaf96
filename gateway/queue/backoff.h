/*
 * backoff - when to try again.
 *
 * The wait doubles from MIN with each attempt up to MAX, and is moved by up to a tenth either way, so that what failed together does not
 * come back together.  Pure but for the random number.
 */
#ifndef QUEUE_BACKOFF_H
#define QUEUE_BACKOFF_H

#include <stdint.h>

/* Milliseconds to wait after ATTEMPTS (1 or more) have failed. */
int64_t backoff_delay(int64_t min, int64_t max, int64_t attempts);

#endif

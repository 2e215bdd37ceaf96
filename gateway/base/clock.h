/*
 * clock - what time it is, in milliseconds.
 *
 * clock_now never goes back and is what deadlines are made of; clock_wall counts from 1970 and is what the queue keeps and people read.
 * A deadline is a point of clock_now; CLOCK_NEVER is no deadline.
 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stddef.h>
#include <stdint.h>

#define CLOCK_NEVER INT64_MAX

int64_t clock_now(void);
int64_t clock_wall(void);

/* Where the time comes from; NULL: the system.  Tests whose hours last a moment put another one here before any thread starts. */
struct clock_source {
    int64_t (*now)(void);
    int64_t (*wall)(void);
};
void clock_use(const struct clock_source *source);

/* Milliseconds until DEADLINE as poll(2) wants them: 0 when it has passed, -1 for CLOCK_NEVER. */
int clock_poll_timeout(int64_t deadline);
int64_t clock_earlier(int64_t a, int64_t b);

/* 2026-11-21T12:00:00.123Z; TO has at least CLOCK_TEXT_SIZE bytes. */
enum { CLOCK_TEXT_SIZE = 32 };
void clock_text(int64_t wall, char *to);
/* RFC 5322 section 3.3: Sat, 21 Nov 2026 12:00:00 +0000 */
enum { CLOCK_DATE_SIZE = 64 };
void clock_date(int64_t wall, char *to);

/* "45s", "5m", "4h", "7d": the largest unit that divides SECONDS. */
enum { CLOCK_SPAN_SIZE = 32 };
void clock_span(int64_t seconds, char *to);

#endif

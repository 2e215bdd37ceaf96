/*
 * stop - the descriptor that tells a child to finish.
 *
 * smtpd and deliverd inherit one end of a socket pair from the parent.  The parent closes its end, or dies, to say "take no new work and
 * finish what you have": the descriptor then polls readable for ever.  From the first time that anybody saw this, work that goes on
 * has the grace that stop_open was given; after that every wait ends at once.  In other processes there is nothing to stop: -1, never.
 */
#ifndef BASE_STOP_H
#define BASE_STOP_H

#include <stdbool.h>
#include <stdint.h>

void stop_open(int fd, int64_t grace_ms);
int stop_fd(void);      /* for poll(2); -1 when there is none or when it has been seen */
bool stop_seen(void);
void stop_see(void);    /* the caller's poll found stop_fd readable */
int64_t stop_deadline(void); /* when the grace ends; CLOCK_NEVER while nobody has seen the stop */
/* Blocks up to DEADLINE (clock_now); true when the stop has been seen. */
bool stop_wait(int64_t deadline);

#endif

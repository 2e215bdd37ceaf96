/*
 * stop - how a child learns that it shall finish, and how its threads do.
 *
 * smtpd and deliverd inherit one end of a socket pair, the control.  On it the parent says `D`, "drain: take no new work, finish what you have, there is no
 * hurry" (a reload), or closes it, by will or by death: "stop".  Only the process's main thread polls stop_control and calls stop_hear.  When it decides
 * that the time has come it calls stop_begin: from then on stop_fd polls readable for ever, for every thread, and work that goes on has the grace that
 * stop_open was given; after that every wait ends at once.  In other processes there is nothing to stop: -1, never.
 */
#ifndef BASE_STOP_H
#define BASE_STOP_H

#include <stdbool.h>
#include <stdint.h>

enum stop_word { STOP_NOTHING, STOP_DRAIN, STOP_NOW };

bool stop_open(int control, int64_t grace_ms);
int stop_control(void);
/* Says `R`, ready, to the parent. */
void stop_ready(void);
/* What the parent has said since the last call; does not block. */
enum stop_word stop_hear(void);
void stop_begin(void);

int stop_fd(void); /* for poll(2); -1 when there is none or when the stop has begun */
bool stop_seen(void);
int64_t stop_deadline(void); /* when the grace ends; CLOCK_NEVER before the stop */
/* Blocks up to DEADLINE (clock_now) or until the stop begins; true when it has. */
bool stop_wait(int64_t deadline);

#endif

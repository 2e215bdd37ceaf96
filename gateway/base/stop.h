/*
 * stop - how a child hears from its parent, above all that it shall finish, and how its threads do.
 *
 * smtpd and deliverd inherit one end of a socket pair, the control.  On it the parent says `D`, "drain: take no new work, finish what you
 * have, there is no hurry" (a reload), `F` with a descriptor, "here is a newer file" (what is in it is between the two), or closes it, by
 * will or by death: "stop".  Only the process's main thread polls stop_control and calls stop_hear.  When it decides that the time has come
 * it calls stop_begin: from then on stop_fd polls readable for ever, for every thread, and work that goes on has the grace that stop_open
 * was given; after that every wait ends at once.  In other processes there is nothing to stop: -1, never.
 */
#ifndef BASE_STOP_H
#define BASE_STOP_H

#include <stdbool.h>
#include <stdint.h>

enum stop_word { STOP_NOTHING, STOP_DRAIN, STOP_FILE, STOP_NOW };

bool stop_open(int control, int64_t grace_ms);
int stop_control(void);
/* Says `R`, ready, to the parent. */
void stop_ready(void);
/* What the parent has said since the last call; does not block. */
enum stop_word stop_hear(void);
/* The descriptor that came with STOP_FILE, the caller's from now on; one that was not taken is closed when the next comes. */
int stop_take_file(void);
/* The parent's side: says WORD on CONTROL, with the descriptor FILE (-1: none).  False when the child does not take it now. */
bool stop_tell(int control, char word, int file);
void stop_begin(void);

int stop_fd(void); /* for poll(2); -1 when there is none or when the stop has begun */
bool stop_seen(void);
int64_t stop_deadline(void); /* when the grace ends; CLOCK_NEVER before the stop */
/* Blocks up to DEADLINE (clock_now) or until the stop begins; true when it has. */
bool stop_wait(int64_t deadline);

#endif

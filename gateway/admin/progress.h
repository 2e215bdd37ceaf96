/*
 * progress - a line a second on standard error about work that takes longer than one.
 *
 * Nothing is printed about what is over within a second.  The lines come from a thread of its own, so the work may block.
 */
#ifndef ADMIN_PROGRESS_H
#define ADMIN_PROGRESS_H

struct progress;

/* COMMAND is what the lines start with, "tmail queue check"; it is borrowed. */
struct progress *progress_open(const char *command);
/* WHAT is done from now on; it is borrowed. */
void progress_step(struct progress *p, const char *what);
void progress_close(struct progress **p);

#endif

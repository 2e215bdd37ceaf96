/*
 * turn - where the writers of a queue line up.
 *
 * A lock file in the store folder, flock(2): the kernel lets waiters sleep and wakes the next when a writer is done, where SQLite's own way
 * to wait is to look again and again.  The lock keeps nothing safe that SQLite does not.  Its holder may be a process that is stopped, so
 * after TURN_MS a waiter goes on without it, and SQLite's waiting has the word.  A struct turn belongs to one thread at a time.
 */
#ifndef QUEUE_TURN_H
#define QUEUE_TURN_H

enum { TURN_MS = 500 };

struct turn {
    int fd; /* -1: no line to stand in, nobody waits */
};

void turn_open(struct turn *t, const char *folder);
void turn_close(struct turn *t);
void turn_take(struct turn *t);
void turn_end(struct turn *t);

#endif

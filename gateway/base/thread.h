/*
 * thread - POSIX threads with the house's habits.
 *
 * Threads are detached and have small stacks (the program recurses nowhere); one that has ended its work takes the next, if it comes soon;
 * a condition waits on the clock of clock_now.  Locks are held for a few statements, never over a call that waits for the network.
 * Failures of the primitives themselves are bugs and abort.
 */
#ifndef BASE_THREAD_H
#define BASE_THREAD_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct lock {
    pthread_mutex_t mutex;
};

struct signal {
    pthread_cond_t condition;
};

void lock_init(struct lock *l);
void lock_done(struct lock *l);
void lock_take(struct lock *l);
void lock_release(struct lock *l);

void signal_init(struct signal *s);
void signal_done(struct signal *s);
void signal_one(struct signal *s);
void signal_all(struct signal *s);
/* Waits with L taken; false when DEADLINE (clock_now) passed first. */
bool signal_wait(struct signal *s, struct lock *l, int64_t deadline);

/* Runs BODY(ARGUMENT) beside the caller, in a thread that has nothing else to do; false when the system has none left. */
bool thread_start(void (*body)(void *), void *argument);

#endif

#include "base/thread.h"

#include "base/clock.h"
#include "base/memory.h"

#include <errno.h>
#include <stdlib.h>

/* Virtual size; what is never touched costs nothing.  Sanitizers need several times as much per frame. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || defined(__clang__)
enum { STACK_SIZE = 2 << 20 };
#else
enum { STACK_SIZE = 512 << 10 };
#endif

struct start {
    void (*body)(void *);
    void *argument;
};

static void must(int error)
{
    if (error != 0)
        abort();
}

void lock_init(struct lock *l)
{
    must(pthread_mutex_init(&l->mutex, NULL));
}

void lock_done(struct lock *l)
{
    must(pthread_mutex_destroy(&l->mutex));
}

void lock_take(struct lock *l)
{
    must(pthread_mutex_lock(&l->mutex));
}

void lock_release(struct lock *l)
{
    must(pthread_mutex_unlock(&l->mutex));
}

void signal_init(struct signal *s)
{
    pthread_condattr_t attributes;

    must(pthread_condattr_init(&attributes));
    must(pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC));
    must(pthread_cond_init(&s->condition, &attributes));
    must(pthread_condattr_destroy(&attributes));
}

void signal_done(struct signal *s)
{
    must(pthread_cond_destroy(&s->condition));
}

void signal_one(struct signal *s)
{
    must(pthread_cond_signal(&s->condition));
}

void signal_all(struct signal *s)
{
    must(pthread_cond_broadcast(&s->condition));
}

bool signal_wait(struct signal *s, struct lock *l, int64_t deadline)
{
    struct timespec t = {.tv_sec = deadline / 1000, .tv_nsec = deadline % 1000 * 1000000};
    int error;

    if (deadline == CLOCK_NEVER) {
        must(pthread_cond_wait(&s->condition, &l->mutex));
        return true;
    }
    error = pthread_cond_timedwait(&s->condition, &l->mutex, &t);
    if (error == ETIMEDOUT)
        return false;
    must(error);
    return true;
}

static void *run(void *argument)
{
    struct start start = *(struct start *)argument;

    memory_free(&argument);
    start.body(start.argument);
    return NULL;
}

bool thread_start(void (*body)(void *), void *argument)
{
    struct start *start = memory_new(sizeof *start);
    pthread_attr_t attributes;
    pthread_t thread;
    int error;

    *start = (struct start){body, argument};
    must(pthread_attr_init(&attributes));
    must(pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED));
    must(pthread_attr_setstacksize(&attributes, STACK_SIZE));
    error = pthread_create(&thread, &attributes, run, start);
    must(pthread_attr_destroy(&attributes));
    if (error != 0)
        memory_free(&start);
    return error == 0;
}

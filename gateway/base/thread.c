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

/* How many threads that have ended their work wait for more, and for how long: a new one costs its stack, and OpenSSL's random state, anew.
 * */
enum { WAIT_MOST = 64, WAIT_MS = 2000 };

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

/* A thread that has nothing to do and waits for work; it lives on that thread's stack. */
struct waiting {
    struct waiting *next;
    struct signal wake;
    struct start start;
    bool called;
};

static struct {
    struct lock lock;
    struct waiting *first; /* who came last goes first: what it used is still warm */
    int count;
} waiting = {.lock = {PTHREAD_MUTEX_INITIALIZER}};

static void leave_line(const struct waiting *me)
{
    struct waiting **place = &waiting.first;

    while (*place != me)
        place = &(*place)->next;
    *place = me->next;
    waiting.count--;
}

/* The next piece of work in *START; false when none came in time, or enough others wait. */
static bool wait_for_work(struct start *start)
{
    struct waiting me = {.called = false};
    int64_t deadline = clock_now() + WAIT_MS;
    bool in_time = true;

    signal_init(&me.wake);
    lock_take(&waiting.lock);
    if (waiting.count < WAIT_MOST) {
        me.next = waiting.first;
        waiting.first = &me;
        waiting.count++;
        while (!me.called && in_time)
            in_time = signal_wait(&me.wake, &waiting.lock, deadline);
        if (!me.called)
            leave_line(&me);
    }
    lock_release(&waiting.lock);
    signal_done(&me.wake);
    *start = me.start;
    return me.called;
}

static bool give_to_waiting(const struct start *start)
{
    struct waiting *one;

    lock_take(&waiting.lock);
    one = waiting.first;
    if (one != NULL) {
        leave_line(one);
        one->start = *start;
        one->called = true;
        signal_one(&one->wake);
    }
    lock_release(&waiting.lock);
    return one != NULL;
}

static void *run(void *argument)
{
    struct start start = *(struct start *)argument;

    memory_free(&argument);
    do
        start.body(start.argument);
    while (wait_for_work(&start));
    return NULL;
}

static bool start_new(const struct start *wanted)
{
    struct start *start = memory_new(sizeof *start);
    pthread_attr_t attributes;
    pthread_t thread;
    int error;

    *start = *wanted;
    must(pthread_attr_init(&attributes));
    must(pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED));
    must(pthread_attr_setstacksize(&attributes, STACK_SIZE));
    error = pthread_create(&thread, &attributes, run, start);
    must(pthread_attr_destroy(&attributes));
    if (error != 0)
        memory_free(&start);
    return error == 0;
}

bool thread_start(void (*body)(void *), void *argument)
{
    const struct start start = {body, argument};

    return give_to_waiting(&start) || start_new(&start);
}

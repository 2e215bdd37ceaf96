#include "queue/turn.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

/* Older headers do not have the kernel's name for it (timer_create(2)). */
#ifndef sigev_notify_thread_id
#define sigev_notify_thread_id _sigev_un._tid
#endif

/* flock(2) has no time limit of its own: a signal to this thread ends the wait. */
static void nothing(int signal)
{
    (void)signal;
}

void turn_open(struct turn *t, const char *folder)
{
    struct sigaction action = {.sa_handler = nothing};
    char path[600];

    snprintf(path, sizeof path, "%s/turn", folder);
    t->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    sigaction(SIGALRM, &action, NULL);
}

void turn_close(struct turn *t)
{
    if (t->fd >= 0)
        close(t->fd);
    t->fd = -1;
}

static void wait_with_alarm(struct turn *t)
{
    struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGALRM};
    /* Again and again: the first may come before the wait has begun. */
    const struct itimerspec limit = {.it_value = {.tv_sec = TURN_MS / 1000, .tv_nsec = TURN_MS % 1000 * 1000000L}, .it_interval = {.tv_nsec = 50000000}};
    timer_t timer;

    event.sigev_notify_thread_id = gettid();
    if (timer_create(CLOCK_MONOTONIC, &event, &timer) != 0)
        return;
    if (timer_settime(timer, 0, &limit, NULL) == 0)
        (void)!flock(t->fd, LOCK_EX);
    timer_delete(timer);
}

void turn_take(struct turn *t)
{
    if (flock(t->fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK)
        wait_with_alarm(t);
}

void turn_end(struct turn *t)
{
    (void)!flock(t->fd, LOCK_UN);
}

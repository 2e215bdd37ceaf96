#include "admin/progress.h"

#include "base/clock.h"
#include "base/memory.h"
#include "base/thread.h"

#include <stdio.h>

struct progress {
    struct lock lock;
    struct signal ended; /* either side has changed a flag */
    const char *command, *what;
    int64_t begun;
    bool over, silent;
};

static void tell(const struct progress *p)
{
    fprintf(stderr, "%s: %s, %lld s\n", p->command, p->what, (long long)(clock_now() - p->begun) / 1000);
}

static void run(void *context)
{
    struct progress *p = context;
    int64_t next = p->begun + 1000;

    lock_take(&p->lock);
    while (!p->over) {
        if (signal_wait(&p->ended, &p->lock, next) || p->over)
            continue;
        tell(p);
        next += 1000;
    }
    p->silent = true;
    signal_all(&p->ended);
    lock_release(&p->lock);
}

struct progress *progress_open(const char *command)
{
    struct progress *p = memory_new(sizeof *p);

    p->command = command;
    p->what = "working";
    p->begun = clock_now();
    lock_init(&p->lock);
    signal_init(&p->ended);
    p->silent = !thread_start(run, p);
    return p;
}

void progress_step(struct progress *p, const char *what)
{
    lock_take(&p->lock);
    p->what = what;
    lock_release(&p->lock);
}

void progress_close(struct progress **p)
{
    if (*p == NULL)
        return;
    lock_take(&(*p)->lock);
    (*p)->over = true;
    signal_all(&(*p)->ended);
    while (!(*p)->silent)
        signal_wait(&(*p)->ended, &(*p)->lock, CLOCK_NEVER);
    lock_release(&(*p)->lock);
    signal_done(&(*p)->ended);
    lock_done(&(*p)->lock);
    memory_free(p);
}

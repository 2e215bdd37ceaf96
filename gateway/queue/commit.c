#include "queue/commit.h"

#include "base/clock.h"
#include "base/memory.h"
#include "base/thread.h"
#include "queue/wake.h"

#include <semaphore.h>
#include <stdio.h>

enum { GROUP_MAX = 500 };

/* One message that waits; it lives on the stack of its session. */
struct waiting {
    struct waiting *next;
    const struct envelope *envelope;
    struct body *body;
    struct status status;
    sem_t settled;
};

struct committer {
    struct queue queue;
    int64_t min_free;
    struct wake wake;
    struct lock lock;
    struct signal work;
    struct waiting *first, **last;
};

static struct waiting *take_group(struct committer *c)
{
    struct waiting *group, *end;
    int count = 1;

    lock_take(&c->lock);
    while (c->first == NULL)
        signal_wait(&c->work, &c->lock, CLOCK_NEVER);
    group = end = c->first;
    while (end->next != NULL && count++ < GROUP_MAX)
        end = end->next;
    c->first = end->next;
    if (c->first == NULL)
        c->last = &c->first;
    end->next = NULL;
    lock_release(&c->lock);
    return group;
}

struct status committer_check_space(const struct committer *c, int64_t size)
{
    if (queue_has_space(c->queue.folder, size, c->min_free))
        return status_ok();
    return status_make(452, "4.3.1", "Insufficient storage, try again later");
}

static bool store(struct committer *c, struct waiting *group)
{
    bool ok = queue_begin(&c->queue);

    if (!ok)
        return false;
    for (struct waiting *w = group; w != NULL && ok; w = w->next)
        ok = queue_put(&c->queue, w->envelope, w->body);
    if (ok)
        return queue_commit(&c->queue);
    queue_rollback(&c->queue);
    return false;
}

static void store_alone(struct committer *c, struct waiting *w)
{
    struct waiting alone = {.envelope = w->envelope, .body = w->body};

    w->status = committer_check_space(c, w->body->size);
    if (status_is_ok(&w->status) && !store(c, &alone))
        w->status = db_status(c->queue.db);
    body_failed(w->body, &w->status);
}

static void store_group(struct committer *c, struct waiting *group)
{
    int64_t size = 0;
    struct status space;
    bool stored;

    for (struct waiting *w = group; w != NULL; w = w->next)
        size += w->body->size;
    space = committer_check_space(c, size);
    stored = status_is_ok(&space) && store(c, group);
    for (struct waiting *w = group; w != NULL; w = w->next) {
        if (stored)
            w->status = space;
        else
            store_alone(c, w);
    }
    wake_send(&c->wake);
}

static void settle(struct waiting *group)
{
    while (group != NULL) {
        struct waiting *next = group->next; /* once it is posted it is gone */

        sem_post(&group->settled);
        group = next;
    }
}

static void run(void *argument)
{
    struct committer *c = argument;

    for (;;) {
        struct waiting *group = take_group(c);

        store_group(c, group);
        settle(group);
    }
}

struct committer *committer_open(const char *folder, int64_t min_free, char *error, size_t error_size)
{
    struct committer *c = memory_new(sizeof *c);

    if (!queue_open(&c->queue, folder, error, error_size)) {
        memory_free(&c);
        return NULL;
    }
    c->min_free = min_free;
    wake_open(&c->wake, folder);
    lock_init(&c->lock);
    signal_init(&c->work);
    c->last = &c->first;
    if (!thread_start(run, c)) {
        snprintf(error, error_size, "cannot start the committer's thread");
        queue_close(&c->queue);
        memory_free(&c);
    }
    return c;
}

struct status committer_put(struct committer *c, const struct envelope *e, struct body *body)
{
    struct waiting w = {.envelope = e, .body = body};
    bool was_empty;

    sem_init(&w.settled, 0, 0);
    lock_take(&c->lock);
    was_empty = c->first == NULL;
    *c->last = &w; /* cppcheck-suppress autoVariables ; it is off the list before sem_wait returns */
    c->last = &w.next; /* cppcheck-suppress autoVariables ; the same */
    lock_release(&c->lock);
    if (was_empty)
        signal_one(&c->work);
    while (sem_wait(&w.settled) < 0)
        ; /* EINTR */
    sem_destroy(&w.settled);
    return w.status;
}

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

enum stored { STORED, NOT_STORED, NOT_BEGUN };

static enum stored store(struct committer *c, struct waiting *group)
{
    bool ok = true;

    if (!queue_begin(&c->queue))
        return NOT_BEGUN;
    for (struct waiting *w = group; w != NULL && ok; w = w->next)
        ok = queue_put(&c->queue, w->envelope, w->body);
    if (ok)
        return queue_commit(&c->queue) ? STORED : NOT_STORED;
    queue_rollback(&c->queue);
    return NOT_STORED;
}

static void settle(struct waiting *group, const struct status *status)
{
    while (group != NULL) {
        struct waiting *next = group->next; /* once it is posted it is gone */

        group->status = *status;
        sem_post(&group->settled);
        group = next;
    }
}

/* Something of the group cannot be stored: each is tried for itself, until the database cannot even be asked. */
static void store_one_by_one(struct committer *c, struct waiting *group)
{
    while (group != NULL) {
        struct waiting *next = group->next;
        struct status status = committer_check_space(c, group->body->size);
        enum stored stored = STORED;

        group->next = NULL;
        if (status_is_ok(&status))
            stored = store(c, group);
        if (stored != STORED)
            status = db_status(c->queue.db);
        body_failed(group->body, &status);
        settle(group, &status);
        if (stored == NOT_BEGUN) {
            settle(next, &status);
            return;
        }
        group = next;
    }
}

static void store_group(struct committer *c, struct waiting *group)
{
    struct status status;
    enum stored stored = NOT_STORED;
    int64_t size = 0;

    for (struct waiting *w = group; w != NULL; w = w->next)
        size += w->body->size;
    status = committer_check_space(c, size);
    if (status_is_ok(&status))
        stored = store(c, group);
    if (stored == NOT_BEGUN)
        status = db_status(c->queue.db);
    if (stored == NOT_STORED)
        store_one_by_one(c, group);
    else
        settle(group, &status);
    wake_send(&c->wake);
}

static void run(void *argument)
{
    struct committer *c = argument;

    for (;;) {
        store_group(c, take_group(c));
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

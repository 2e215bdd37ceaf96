#include "directory/pool.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/thread.h"

struct pool {
    char *path;
    struct lock lock;
    struct signal returned;
    int lent;
    int idle_count;
    struct tables *idle[POOL_SIZE]; /* the last that came back goes first: its pages are warm */
};

struct pool *pool_new(const char *path)
{
    struct pool *p = memory_new(sizeof *p);

    p->path = memory_string(path);
    lock_init(&p->lock);
    signal_init(&p->returned);
    return p;
}

void pool_free(struct pool **p)
{
    if (*p == NULL)
        return;
    for (int i = 0; i < (*p)->idle_count; i++)
        tables_close(&(*p)->idle[i]);
    signal_done(&(*p)->returned);
    lock_done(&(*p)->lock);
    memory_free(&(*p)->path);
    memory_free(p);
}

/* Counts a connection as lent; *T is an idle one, or NULL when it must be opened. */
static bool take_place(struct pool *p, struct tables **t)
{
    const int64_t deadline = clock_now() + POOL_WAIT_MS;
    bool free_place = true;

    *t = NULL;
    lock_take(&p->lock);
    while (p->lent == POOL_SIZE && free_place)
        free_place = signal_wait(&p->returned, &p->lock, deadline);
    free_place = p->lent < POOL_SIZE;
    if (free_place) {
        p->lent++;
        if (p->idle_count > 0)
            *t = p->idle[--p->idle_count];
    }
    lock_release(&p->lock);
    return free_place;
}

static void give_place_back(struct pool *p, struct tables *t)
{
    lock_take(&p->lock);
    p->lent--;
    if (t != NULL)
        p->idle[p->idle_count++] = t;
    signal_one(&p->returned);
    lock_release(&p->lock);
}

struct tables *pool_borrow(struct pool *p)
{
    struct tables *t;
    char error[512];

    if (!take_place(p, &t)) {
        log_message(LOG_LEVEL_ERROR, "database", "%s: all %d connections are busy", p->path, POOL_SIZE);
        return NULL;
    }
    if (t != NULL)
        return t;
    t = tables_open_read(p->path, error, sizeof error);
    if (t == NULL) {
        log_message(LOG_LEVEL_ERROR, "database", "%s", error);
        give_place_back(p, NULL);
    }
    return t;
}

void pool_return(struct pool *p, struct tables *t, bool failed)
{
    if (failed)
        tables_close(&t);
    give_place_back(p, t);
}

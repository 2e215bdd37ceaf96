#include "queue/upkeep.h"

#include "base/clock.h"
#include "base/memory.h"
#include "base/stop.h"
#include "base/thread.h"

#include <stdio.h>

enum {
    LOOK_MS = 10000, /* for rows that are too old, and for free pages */
    PAUSE_MS = 5000, /* after a failure */
    /* Of the time that a step took, and at least so long, the queue is left to others. */
    REST_MIN_MS = 10,
    REST_OF_PRUNING = 1,
    REST_OF_GIVING_BACK = 4,
    /* Of the log: so many pages at a time, or what has come in the longest wait. */
    LOG_PAGES = 1000,
    LOG_WAIT_MIN_MS = 20,
    LOG_WAIT_MAX_MS = 1000,
    /* Giving back begins when this share of the file, and so much, is free; and ends at half of each. */
    FREE_PERCENT = 25,
    FREE_LEAST = 64 << 20,
};

bool upkeep_open(struct upkeep *u, const struct conf *conf, char *error, size_t error_size)
{
    struct db *db;

    *u = (struct upkeep){
        .conf = conf,
        .rows = {UPKEEP_ROWS, 2000},
        .vacuum = {UPKEEP_PAGES, 2000},
        .log_wait = LOG_WAIT_MAX_MS,
        .free_least = FREE_LEAST,
        .free_seen = -1,
    };
    if (!queue_open(&u->queue, conf->store_source, error, error_size))
        return false;
    db = u->queue.db;
    u->pages = db_prepare(db, "PRAGMA page_count");
    u->page_size = db_prepare(db, "PRAGMA page_size");
    u->free_pages = db_prepare(db, "PRAGMA freelist_count");
    u->version = db_prepare(db, "PRAGMA data_version");
    /* Its commits wait for no disk: what they did would only have to be done again. */
    if (history_pruner_init(&u->pruner, &u->queue) && db_prepared_all(db) && db_run(db, "PRAGMA synchronous=NORMAL"))
        return true;
    str_copy(str_of(db_error(db)), error, error_size);
    queue_close(&u->queue);
    return false;
}

void upkeep_close(struct upkeep *u)
{
    queue_close(&u->queue);
}

static int64_t failed(struct upkeep *u)
{
    (void)db_status(u->queue.db); /* which logs it */
    return PAUSE_MS;
}

/* -1: the database failed. */
static int64_t ask(struct db_query *query)
{
    int64_t value = db_step(query) ? db_int(query, 0) : -1;

    return db_finish(query) ? value : -1;
}

static void adapt(struct upkeep_size *size, int64_t took)
{
    if (took > UPKEEP_STEP_MS)
        size->now = size->now > 20 ? size->now / 2 : 10;
    else if (took < UPKEEP_STEP_MS / 2)
        size->now = size->now < size->most * 2 / 3 ? size->now * 3 / 2 : size->most;
}

static int64_t rest(int64_t took, int64_t share)
{
    return took * share > REST_MIN_MS ? took * share : REST_MIN_MS;
}

/* The log grows while it is copied.  What has come meanwhile is little, and copied while no one writes, so that the next writer finds nothing
 * left in the log and begins it again: else it would grow for as long as somebody writes. */
static bool copy_log(struct upkeep *u, struct db_log *log)
{
    bool ok = db_checkpoint(u->queue.db, log);

    if (!ok || log->pages < LOG_PAGES || log->copied < log->pages)
        return ok;
    turn_take(&u->queue.turn);
    ok = db_checkpoint(u->queue.db, log);
    turn_end(&u->queue.turn);
    return ok;
}

/* As soon as LOG_PAGES may have come again, at the pace of those that came last. */
static int64_t next_look(int64_t waited, int64_t pages)
{
    int64_t wait = pages > 0 ? waited * LOG_PAGES / pages : LOG_WAIT_MAX_MS;

    return wait < LOG_WAIT_MIN_MS ? LOG_WAIT_MIN_MS : wait > LOG_WAIT_MAX_MS ? LOG_WAIT_MAX_MS : wait;
}

int64_t upkeep_log(struct upkeep *u)
{
    int64_t version = ask(u->version);
    struct db_log log;

    if (version < 0)
        return failed(u);
    if (version == u->version_seen)
        return u->log_wait = LOG_WAIT_MAX_MS;
    if (!copy_log(u, &log))
        return failed(u);
    u->version_seen = version;
    u->log_wait = next_look(u->log_wait, log.pages >= u->log_seen ? log.pages - u->log_seen : log.pages);
    u->log_seen = log.pages >= LOG_PAGES ? 0 : log.pages;
    return u->log_wait;
}

int64_t upkeep_history(struct upkeep *u)
{
    int64_t began = clock_now(), took;
    int limit = u->rows.now, removed = history_prune(&u->pruner, u->conf->history, u->conf->history_rows, limit);

    if (removed < 0)
        return failed(u);
    if (removed < limit)
        return LOOK_MS;
    took = clock_now() - began;
    adapt(&u->rows, took);
    return rest(took, REST_OF_PRUNING);
}

/* What is being emptied is left alone: its last pages would be moved only to be freed a moment later. */
static bool is_worth_it(struct upkeep *u, int64_t pages, int64_t page_size, int64_t free_pages)
{
    int64_t part = u->giving_back ? 2 : 1;
    bool grows = u->free_seen < 0 || free_pages > u->free_seen + UPKEEP_PAGES;

    u->free_seen = free_pages;
    return !grows && free_pages * 100 * part > pages * FREE_PERCENT && free_pages * page_size * part > u->free_least;
}

static bool give_back(struct upkeep *u, int pages)
{
    char sql[64];

    snprintf(sql, sizeof sql, "PRAGMA incremental_vacuum(%d)", pages);
    if (!queue_begin(&u->queue))
        return false;
    if (db_run(u->queue.db, sql))
        return queue_commit(&u->queue);
    queue_rollback(&u->queue);
    return false;
}

int64_t upkeep_free_pages(struct upkeep *u)
{
    int64_t pages = ask(u->pages), page_size = ask(u->page_size), free_pages = ask(u->free_pages), began, took;

    if (pages < 0 || page_size < 0 || free_pages < 0)
        return failed(u);
    u->giving_back = is_worth_it(u, pages, page_size, free_pages);
    if (!u->giving_back)
        return LOOK_MS;
    began = clock_now();
    if (!give_back(u, u->vacuum.now < free_pages / 4 ? u->vacuum.now : (int)(free_pages / 4)))
        return failed(u);
    took = clock_now() - began;
    if (ask(u->free_pages) >= free_pages) /* made by an older tmail: its pages stay, and are used again */
        return LOOK_MS;
    adapt(&u->vacuum, took);
    return rest(took, REST_OF_GIVING_BACK);
}

struct chore {
    int64_t (*step)(struct upkeep *u);
    int64_t at; /* clock_now */
};

/* Never freed: it belongs to two threads until the process ends. */
struct upkeep_thread {
    struct upkeep upkeep;
    struct lock lock;
    struct signal end;
    bool ended;
};

static void work(struct upkeep *u)
{
    struct chore chores[] = {{.step = upkeep_log}, {.step = upkeep_history}, {.step = upkeep_free_pages}};
    int64_t next;

    do {
        next = CLOCK_NEVER;
        for (size_t i = 0; i < sizeof chores / sizeof chores[0] && !stop_seen(); i++) {
            if (clock_now() >= chores[i].at)
                chores[i].at = chores[i].step(u) + clock_now();
            next = clock_earlier(next, chores[i].at);
        }
    } while (!stop_wait(next));
}

static void run(void *argument)
{
    struct upkeep_thread *t = argument;

    work(&t->upkeep);
    upkeep_close(&t->upkeep);
    lock_take(&t->lock);
    t->ended = true;
    signal_all(&t->end);
    lock_release(&t->lock);
}

struct upkeep_thread *upkeep_start(const struct conf *conf, char *error, size_t error_size)
{
    struct upkeep_thread *t = memory_new(sizeof *t);

    lock_init(&t->lock);
    signal_init(&t->end);
    if (!upkeep_open(&t->upkeep, conf, error, error_size))
        return NULL;
    if (thread_start(run, t))
        return t;
    snprintf(error, error_size, "no thread is left");
    return NULL;
}

void upkeep_wait(struct upkeep_thread *t)
{
    if (t == NULL)
        return;
    lock_take(&t->lock);
    while (!t->ended && signal_wait(&t->end, &t->lock, stop_deadline()))
        ;
    lock_release(&t->lock);
}

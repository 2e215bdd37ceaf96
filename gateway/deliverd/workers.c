#include "deliverd/workers.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/thread.h"
#include "deliverd/turns.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum {
    BUCKETS = 4096,
    RECIPIENTS_A_POOL = 5000,
    WAITING_A_POOL = 512,
    PLACES_A_FLOW = 2, /* at least */
    KEPT_MOST = 4096,  /* pools that do nothing */
    KEPT_BACK = 8,     /* one thread of so many is for hops without any */
    PROBE_MS = 10000,
};

/* Each pool is in one of them. */
enum list { WORKING, STARVING, KEPT, KEPT_DOWN, LISTS };

struct pool_list {
    struct pool *first, *last;
    int count;
};

struct pool {
    struct pool *next; /* in the bucket */
    struct pool_list *list;
    struct pool *before, *behind; /* in the list */
    char *key;
    struct window window;
    struct turns turns; /* what waits, and places for jobs that are about to come */
    bool probe_reserved;
    int threads, idle;
    int leaving; /* idle threads that were asked to go */
    struct signal signal;
};

struct workers {
    const struct attempt_context *context;
    struct workers_limits limits;
    struct lock lock;
    struct pool *buckets[BUCKETS];
    struct pool_list lists[LISTS]; /* STARVING: they have jobs and no thread, because all threads are taken; the hungriest first */
    struct turns_table flows;
    struct job *done, **done_last;
    int done_fd;
    int threads, busy, reserved;
    bool stopping;
};

struct worker {
    struct workers *workers;
    struct pool *pool;
    bool worked; /* it has had a job */
};

struct workers *workers_new(const struct attempt_context *context, const struct workers_limits *limits, char *error, size_t error_size)
{
    struct workers *w = memory_new(sizeof *w);

    w->context = context;
    w->limits = *limits;
    lock_init(&w->lock);
    w->done_last = &w->done;
    w->done_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (w->done_fd < 0) {
        snprintf(error, error_size, "eventfd: %s", strerrordesc_np(errno));
        memory_free(&w);
    }
    return w;
}

int workers_done_fd(const struct workers *w)
{
    return w->done_fd;
}

static struct pool **place_of(struct workers *w, struct str key)
{
    struct pool **place = &w->buckets[str_hash(key) % BUCKETS];

    while (*place != NULL && !str_equal(str_of((*place)->key), key))
        place = &(*place)->next;
    return place;
}

static bool is_in(const struct workers *w, const struct pool *p, enum list list)
{
    return p->list == &w->lists[list];
}

static void unlist(struct pool *p)
{
    struct pool_list *l = p->list;

    *(p->before != NULL ? &p->before->behind : &l->first) = p->behind;
    *(p->behind != NULL ? &p->behind->before : &l->last) = p->before;
    l->count--;
    p->list = NULL;
}

/* At the end of the list. */
static void enlist(struct workers *w, struct pool *p, enum list list)
{
    struct pool_list *l = &w->lists[list];

    if (p->list != NULL)
        unlist(p);
    p->list = l;
    p->before = l->last;
    p->behind = NULL;
    *(l->last != NULL ? &l->last->behind : &l->first) = p;
    l->last = p;
    l->count++;
}

static struct pool *make_pool(struct workers *w, struct str key)
{
    struct pool *p = memory_new(sizeof *p);

    p->key = memory_resize(NULL, key.length + 1);
    str_copy(key, p->key, key.length + 1);
    window_init(&p->window, w->limits.a_hop, w->limits.down_ms, str_hash(key) ^ (uint32_t)clock_now());
    turns_init(&p->turns, &w->flows);
    signal_init(&p->signal);
    return p;
}

static struct pool *find_pool(struct workers *w, struct str key)
{
    struct pool **place = place_of(w, key);

    if (*place == NULL)
        *place = make_pool(w, key);
    if (!is_in(w, *place, STARVING))
        enlist(w, *place, WORKING);
    return *place;
}

static void drop_pool(struct workers *w, struct pool *p)
{
    *place_of(w, str_of(p->key)) = p->next;
    unlist(p);
    signal_done(&p->signal);
    memory_free(&p->key);
    memory_free(&p);
}

/* That a hop is down is worth more than how well another does. */
static void keep_pool(struct workers *w, struct pool *p)
{
    enlist(w, p, p->window.down ? KEPT_DOWN : KEPT);
    if (w->lists[KEPT].count + w->lists[KEPT_DOWN].count > KEPT_MOST)
        drop_pool(w, w->lists[KEPT].count > 0 ? w->lists[KEPT].first : w->lists[KEPT_DOWN].first);
}

/* With the lock taken; whoever makes the last use of a pool calls it. */
static void drop_pool_if_unused(struct workers *w, struct pool *p)
{
    if (p->threads > 0 || p->turns.reserved > 0 || p->turns.waiting > 0)
        return;
    if (window_is_new(&p->window))
        drop_pool(w, p);
    else
        keep_pool(w, p);
}

static void add_done(struct workers *w, struct job *job)
{
    const uint64_t one = 1;
    bool first = w->done == NULL;

    job->next = NULL;
    *w->done_last = job;
    w->done_last = &job->next;
    w->busy--;
    if (first)
        (void)!write(w->done_fd, &one, sizeof one);
}

/* Large contents are read by the worker, so that no more of them lie in memory than are being sent. */
static bool load_content(const struct attempt_context *context, struct job *job, struct body *body)
{
    struct status status = status_ok();
    char error[600];
    struct queue queue;
    bool ok = queue_open(&queue, context->conf->store_source, error, sizeof error);

    if (!ok)
        status = status_make(451, "4.3.0", "Cannot open the queue");
    else if (!queue_read_content(&queue, job->message->claimed->envelope.id, body, &status))
        ok = false;
    else if (body->size != job->message->claimed->size) {
        status = status_make(451, "4.3.0", "The content in the queue is not whole");
        ok = false;
    }
    queue_close(&queue);
    for (struct delivery *d = job->deliveries; d != NULL && !ok; d = d->next)
        d->status = status;
    return ok;
}

static void carry_out(const struct attempt_context *context, struct connection *connection, struct job *job)
{
    int64_t began = clock_now();
    struct body body;

    body_init(&body, context->conf->tempdir);
    if (job->message->claimed->has_content || load_content(context, job, &body))
        attempt_run(context, connection, job, &body);
    body_done(&body);
    for (struct delivery *d = job->deliveries; d != NULL; d = d->next)
        d->took = clock_now() - began;
    job->carried_out = true;
}

static void work(void *argument);

static bool start_worker(struct workers *w, struct pool *p)
{
    struct worker *me = memory_new(sizeof *me);

    *me = (struct worker){.workers = w, .pool = p};
    p->threads++;
    w->threads++;
    if (thread_start(work, me))
        return true;
    memory_free(&me);
    p->threads--;
    w->threads--;
    return false;
}

static void set_starving(struct workers *w, struct pool *p, bool starves)
{
    if (starves != is_in(w, p, STARVING))
        enlist(w, p, starves ? STARVING : WORKING);
}

/* A thread has become free: who has starved longest gets it.  If it cannot be started the next that ends tries again. */
static void feed_starving(struct workers *w)
{
    struct pool *p = w->threads < w->limits.threads ? w->lists[STARVING].first : NULL;

    if (p != NULL && start_worker(w, p))
        set_starving(w, p, false);
}

/* The thread ends: it is not counted from here on.  A pool that keeps jobs waits in the line of those that starve. */
static void leave(struct workers *w, struct pool *p)
{
    if (p->leaving > 0)
        p->leaving--;
    w->threads--;
    p->threads--;
    set_starving(w, p, p->threads == 0 && p->turns.waiting > 0);
    drop_pool_if_unused(w, p);
    feed_starving(w);
}

/* The window has closed below what is open.  A probe is not kept waiting by those who are still at work. */
static bool is_too_wide(const struct pool *p)
{
    return p->threads > window_size(&p->window) && !p->window.probing;
}

/* While others starve a worker that has done a job makes room, and so it does where there are too many. */
static bool shall_work(const struct worker *me)
{
    const struct workers *w = me->workers;

    return me->pool->turns.waiting > 0 && (!me->worked || (w->lists[STARVING].count == 0 && !is_too_wide(me->pool)));
}

static bool shall_wait(const struct worker *me)
{
    const struct workers *w = me->workers;
    const struct pool *p = me->pool;

    return p->turns.waiting == 0 && !w->stopping && p->leaving == 0 && w->lists[STARVING].count == 0 && !is_too_wide(p);
}

/* The next job of the pool; NULL when the thread shall end. */
static struct job *next_job(struct worker *me, bool has_connection)
{
    struct workers *w = me->workers;
    struct pool *p = me->pool;
    int64_t deadline = clock_now() + (has_connection ? w->context->conf->deliverd_connection_idle : 0);
    struct job *job = NULL;

    lock_take(&w->lock);
    p->idle++;
    while (shall_wait(me) && signal_wait(&p->signal, &w->lock, deadline))
        ;
    p->idle--;
    if (shall_work(me)) {
        job = turns_take(&p->turns);
        window_begin(&p->window, &job->ticket);
    } else {
        leave(w, p);
    }
    lock_release(&w->lock);
    return job;
}

/* It will not be tried: the hop is down. */
static void postpone(struct workers *w, const struct window *window, struct job *job)
{
    job->postponed = clock_wall() + window->down_until - clock_now();
    for (struct delivery *d = job->deliveries; d != NULL; d = d->next)
        d->status = window->why;
    add_done(w, job);
}

static void postpone_waiting(struct workers *w, struct pool *p)
{
    struct job *job;

    while ((job = turns_take(&p->turns)) != NULL)
        postpone(w, &p->window, job);
    set_starving(w, p, false);
}

/* The last threads are for hops that have none: those that hang, and they may be many, leave room for the others. */
static bool may_start(const struct workers *w, const struct pool *p)
{
    int64_t limit = w->limits.threads;

    return w->threads < (p->threads == 0 ? limit : limit - limit / KEPT_BACK);
}

/* The window has opened.  This worker takes a job itself. */
static void staff_more(struct workers *w, struct pool *p)
{
    bool wanted = p->turns.waiting > p->idle + 1 && p->threads < window_size(&p->window);

    if (wanted && may_start(w, p) && w->lists[STARVING].count == 0)
        (void)start_worker(w, p);
}

enum news { NEWS_NONE, NEWS_UP, NEWS_DOWN };

/* What the job has learned of its hop. */
static enum news heed(struct workers *w, struct pool *p, const struct job *job)
{
    bool was_down = p->window.down, went_down;
    int64_t since = p->window.down_since;

    if (job->hop_answered)
        window_answered(&p->window, &job->ticket);
    else if (job->hop_failed)
        window_failed(&p->window, &job->ticket, clock_now(), &job->deliveries->status);
    else
        window_learned_nothing(&p->window, &job->ticket);
    went_down = p->window.down && (!was_down || p->window.down_since != since);
    if (went_down)
        postpone_waiting(w, p);
    if (is_too_wide(p))
        signal_all(&p->signal);
    staff_more(w, p);
    return went_down ? NEWS_DOWN : was_down && !p->window.down ? NEWS_UP : NEWS_NONE;
}

static void log_news(enum news news, const struct job *job, int64_t down_ms)
{
    static const char *const events[] = {[NEWS_UP] = "hop-up", [NEWS_DOWN] = "hop-down"};
    const struct hop *hop = &job->plan.hops[0];
    struct log_line l;

    if (news == NEWS_NONE)
        return;
    log_begin(&l, news == NEWS_DOWN ? LOG_LEVEL_WARNING : LOG_LEVEL_INFO, events[news]);
    log_text(&l, "host", hop->host);
    log_number(&l, "port", hop->port);
    if (news == NEWS_DOWN) {
        log_number(&l, "seconds", down_ms / 1000);
        log_status(&l, &job->deliveries->status);
    }
    log_end(&l);
}

static void finish(struct workers *w, struct pool *p, struct job *job)
{
    enum news news;
    int64_t down_ms;

    lock_take(&w->lock);
    news = heed(w, p, job);
    down_ms = p->window.down_until - p->window.down_since;
    lock_release(&w->lock);
    log_news(news, job, down_ms);
    lock_take(&w->lock);
    add_done(w, job);
    lock_release(&w->lock);
}

static void work(void *argument)
{
    struct worker me = *(struct worker *)argument;
    struct workers *w = me.workers;
    struct connection connection = {0};
    struct job *job;

    memory_free(&argument);
    while ((job = next_job(&me, connection.open)) != NULL) {
        carry_out(w->context, &connection, job);
        me.worked = true;
        finish(w, me.pool, job);
    }
    connection_close(&connection);
}

/* An idle worker of a hop without work makes room for one with work. */
static void ask_one_to_leave(struct workers *w)
{
    for (struct pool *p = w->lists[WORKING].first; p != NULL; p = p->behind)
        if (p->turns.waiting == 0 && p->idle > p->leaving) {
            p->leaving++;
            signal_one(&p->signal);
            return;
        }
}

/* The job waits for a worker of its pool: one that idles, a new one, or the next that is done.  False when no thread could be had at all.
 * */
static bool staff(struct workers *w, struct pool *p)
{
    if (p->turns.waiting <= p->idle) {
        signal_one(&p->signal);
        return true;
    }
    if (p->threads >= (p->window.probing ? p->window.most : window_size(&p->window)))
        return true;
    if (may_start(w, p) && start_worker(w, p)) {
        set_starving(w, p, false);
        return true;
    }
    if (w->threads == 0)
        return false;
    if (p->threads == 0 && !is_in(w, p, STARVING)) {
        set_starving(w, p, true);
        ask_one_to_leave(w);
    }
    return true;
}

/* Is there one more place for the flow?  LEFT: of all.  Where no more are given to flows that have some, there is still one for a flow that
 * has none. */
static bool has_place(const struct pool *p, int64_t flow, int64_t left)
{
    const struct flow *f = turns_find(&p->turns, flow);
    int64_t held = p->turns.waiting + p->turns.reserved, share;

    if (f == NULL)
        return held < clock_earlier(WAITING_A_POOL, 3 + 2 * left / 3);
    /* Enough that no worker waits while a transaction is at the disk, and little enough to be given back quickly. */
    share = (2 * window_size(&p->window) + 8) / p->turns.flows;
    if (share < PLACES_A_FLOW)
        share = PLACES_A_FLOW;
    return f->waiting + f->reserved < share && f->recipients < (size_t)(RECIPIENTS_A_POOL / p->turns.flows) &&
           held < clock_earlier(WAITING_A_POOL, 1 + left / 2);
}

/* With the lock taken. */
static enum workers_room room_of(const struct workers *w, const struct pool *p, int64_t flow, bool crowded)
{
    int64_t all = 2 * w->limits.threads, left = all - w->busy - w->reserved;

    if (p->threads - p->idle + p->turns.waiting + p->turns.reserved == 0)
        return left > -all ? WORKERS_ROOM : WORKERS_ALL_FULL;
    if (left <= 0)
        return WORKERS_ALL_FULL;
    return !crowded && has_place(p, flow, left) ? WORKERS_ROOM : WORKERS_POOL_FULL;
}

static void take_place(struct workers *w, struct pool *p, int64_t flow, bool is_probe)
{
    turns_reserve(&p->turns, flow);
    w->reserved++;
    if (!is_probe)
        return;
    window_begin_probe(&p->window, clock_now());
    p->probe_reserved = true;
}

enum workers_room workers_reserve(struct workers *w, struct str key, int64_t flow, int64_t flushed, bool crowded,
                                  struct workers_place *place)
{
    int64_t now = clock_now(), ahead = clock_wall() - now, until = 0;
    enum window_answer answer;
    struct pool *p;

    lock_take(&w->lock);
    p = find_pool(w, key);
    answer = window_ask(&p->window, now, flushed > 0 ? flushed - ahead : 0, &until);
    place->room = answer == WINDOW_DOWN ? WORKERS_DOWN : room_of(w, p, flow, crowded);
    place->probing = place->room == WORKERS_DOWN && p->window.probing && now - p->window.probed_at < PROBE_MS;
    if (place->room == WORKERS_ROOM) {
        take_place(w, p, flow, answer == WINDOW_PROBE);
    } else if (place->room == WORKERS_DOWN) {
        place->until = until + ahead;
        place->why = p->window.why;
    }
    drop_pool_if_unused(w, p);
    lock_release(&w->lock);
    return place->room;
}

void workers_give_up(struct workers *w, struct str key, int64_t flow)
{
    struct pool *p;

    lock_take(&w->lock);
    p = find_pool(w, key);
    turns_give_up(&p->turns, flow);
    w->reserved--;
    if (p->probe_reserved && p->turns.reserved == 0) {
        p->probe_reserved = false;
        window_learned_nothing(&p->window, &(struct window_ticket){.probe = true});
    }
    drop_pool_if_unused(w, p);
    lock_release(&w->lock);
}

/* The place was taken before the hop went down. */
static bool comes_too_late(const struct pool *p, const struct job *job)
{
    return p->window.down && !job->ticket.probe;
}

static void add_job(struct workers *w, struct pool *p, struct job *job)
{
    turns_add(&p->turns, job);
    if (staff(w, p))
        return;
    log_message(LOG_LEVEL_ERROR, "worker", "no thread left for a delivery");
    window_learned_nothing(&p->window, &job->ticket);
    add_done(w, turns_take(&p->turns));
}

void workers_submit(struct workers *w, struct str key, struct job *job)
{
    struct pool *p;

    lock_take(&w->lock);
    p = find_pool(w, key);
    job->carried_out = job->hop_answered = job->hop_failed = false;
    job->postponed = 0;
    job->ticket = (struct window_ticket){.probe = p->probe_reserved};
    p->probe_reserved = false;
    w->reserved--;
    w->busy++;
    if (comes_too_late(p, job)) {
        turns_give_up(&p->turns, job->flow);
        postpone(w, &p->window, job);
    } else {
        add_job(w, p, job);
    }
    drop_pool_if_unused(w, p);
    lock_release(&w->lock);
}

struct job *workers_take_done(struct workers *w)
{
    struct job *done;
    uint64_t count;

    (void)!read(w->done_fd, &count, sizeof count);
    lock_take(&w->lock);
    done = w->done;
    w->done = NULL;
    w->done_last = &w->done;
    lock_release(&w->lock);
    return done;
}

void workers_stop(struct workers *w)
{
    struct job *job;

    lock_take(&w->lock);
    w->stopping = true;
    while (w->lists[STARVING].first != NULL)
        set_starving(w, w->lists[STARVING].first, false);
    for (struct pool *p = w->lists[WORKING].first; p != NULL; p = p->behind) {
        while ((job = turns_take(&p->turns)) != NULL)
            add_done(w, job);
        signal_all(&p->signal);
    }
    lock_release(&w->lock);
}

int workers_busy(struct workers *w)
{
    int busy;

    lock_take(&w->lock);
    busy = w->busy;
    lock_release(&w->lock);
    return busy;
}

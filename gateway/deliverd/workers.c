#include "deliverd/workers.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/thread.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { BUCKETS = 256, RECIPIENTS_A_POOL = 5000 };

struct pool {
    struct pool *next;
    char *key;
    struct job *first, **last; /* waiting */
    int waiting, threads, idle;
    int reserved; /* jobs that are about to come */
    size_t recipients; /* of the jobs that wait */
    uint64_t starving; /* since when it has jobs and no thread, because all threads are taken: a number that grows; 0: it does not */
    int leaving; /* idle threads that were asked to go */
    struct signal signal;
};

struct workers {
    const struct attempt_context *context;
    struct lock lock;
    struct pool *buckets[BUCKETS];
    struct job *done, **done_last;
    int done_fd;
    int threads, busy, reserved;
    int starving; /* pools that starve */
    uint64_t hunger; /* the last number given to one */
    bool stopping;
};

struct worker {
    struct workers *workers;
    struct pool *pool;
    bool worked; /* it has had a job */
};

static int64_t thread_limit(const struct workers *w)
{
    const struct conf *conf = w->context->conf;

    return clock_earlier(conf->deliverd_max_in_flight, conf->deliverd_remote_concurrency);
}

struct workers *workers_new(const struct attempt_context *context, char *error, size_t error_size)
{
    struct workers *w = memory_new(sizeof *w);

    w->context = context;
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

static struct pool *find_pool(struct workers *w, struct str key)
{
    struct pool **place = place_of(w, key);

    if (*place == NULL) {
        *place = memory_new(sizeof **place);
        (*place)->key = memory_resize(NULL, key.length + 1);
        str_copy(key, (*place)->key, key.length + 1);
        (*place)->last = &(*place)->first;
        signal_init(&(*place)->signal);
    }
    return *place;
}

/* With the lock taken; whoever makes the last use of a pool calls it. */
static void drop_pool_if_unused(struct workers *w, struct pool *p)
{
    if (p->threads > 0 || p->reserved > 0 || p->first != NULL)
        return;
    *place_of(w, str_of(p->key)) = p->next;
    signal_done(&p->signal);
    memory_free(&p->key);
    memory_free(&p);
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

static struct job *take_waiting(struct pool *p)
{
    struct job *job = p->first;

    p->first = job->next;
    if (p->first == NULL)
        p->last = &p->first;
    p->waiting--;
    p->recipients -= job->count;
    return job;
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
    struct body body;

    body_init(&body, context->conf->tempdir);
    if (job->message->claimed->has_content || load_content(context, job, &body))
        attempt_run(context, connection, job, &body);
    body_done(&body);
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
    if (starves == (p->starving > 0))
        return;
    p->starving = starves ? ++w->hunger : 0;
    w->starving += starves ? 1 : -1;
}

static struct pool *find_hungriest(struct workers *w)
{
    struct pool *found = NULL;

    for (size_t i = 0; i < BUCKETS; i++)
        for (struct pool *p = w->buckets[i]; p != NULL; p = p->next)
            if (p->starving > 0 && (found == NULL || p->starving < found->starving))
                found = p;
    return found;
}

/* A thread has become free: who has starved longest gets it.  If it cannot be started the next that ends tries again. */
static void feed_starving(struct workers *w)
{
    struct pool *p = w->starving > 0 && w->threads < thread_limit(w) ? find_hungriest(w) : NULL;

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
    set_starving(w, p, p->threads == 0 && p->first != NULL);
    drop_pool_if_unused(w, p);
    feed_starving(w);
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
    while (p->first == NULL && !w->stopping && p->leaving == 0 && w->starving == 0 && signal_wait(&p->signal, &w->lock, deadline))
        ;
    p->idle--;
    /* While others starve, a worker that has done a job makes room. */
    if (p->first != NULL && (w->starving == 0 || !me->worked))
        job = take_waiting(p);
    else
        leave(w, p);
    lock_release(&w->lock);
    return job;
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
        lock_take(&w->lock);
        add_done(w, job);
        lock_release(&w->lock);
    }
    connection_close(&connection);
}

/* An idle worker of a hop without work makes room for one with work. */
static void ask_one_to_leave(struct workers *w)
{
    for (size_t i = 0; i < BUCKETS; i++)
        for (struct pool *p = w->buckets[i]; p != NULL; p = p->next)
            if (p->first == NULL && p->idle > p->leaving) {
                p->leaving++;
                signal_one(&p->signal);
                return;
            }
}

/* The job waits for a worker of its pool: one that idles, a new one, or the next that is done.  False when no thread could be had at all.
 * */
static bool staff(struct workers *w, struct pool *p)
{
    if (p->waiting <= p->idle) {
        signal_one(&p->signal);
        return true;
    }
    if (p->threads >= w->context->conf->deliverd_destination_concurrency)
        return true;
    if (w->threads < thread_limit(w) && start_worker(w, p)) {
        set_starving(w, p, false);
        return true;
    }
    if (w->threads == 0)
        return false;
    if (p->threads == 0 && p->starving == 0) {
        set_starving(w, p, true);
        ask_one_to_leave(w);
    }
    return true;
}

/* With the lock taken. */
static enum workers_room room_of(const struct workers *w, const struct pool *p, bool crowded)
{
    int64_t window = 2 * w->context->conf->deliverd_destination_concurrency + 8, all = 2 * thread_limit(w);
    int64_t left = all - w->busy - w->reserved;

    if (p->threads - p->idle + p->waiting + p->reserved == 0)
        return left > -all ? WORKERS_ROOM : WORKERS_ALL_FULL;
    if (left <= 0)
        return WORKERS_ALL_FULL;
    if (crowded)
        return WORKERS_POOL_FULL;
    /* Enough that no worker waits while a transaction is at the disk, and little enough to be given back quickly. */
    window = clock_earlier(window, 1 + left / 2);
    return p->waiting + p->reserved < window && p->recipients < RECIPIENTS_A_POOL ? WORKERS_ROOM : WORKERS_POOL_FULL;
}

enum workers_room workers_reserve(struct workers *w, struct str key, bool crowded)
{
    enum workers_room room;
    struct pool *p;

    lock_take(&w->lock);
    p = find_pool(w, key);
    room = room_of(w, p, crowded);
    p->reserved += room == WORKERS_ROOM;
    w->reserved += room == WORKERS_ROOM;
    drop_pool_if_unused(w, p);
    lock_release(&w->lock);
    return room;
}

void workers_give_up(struct workers *w, struct str key)
{
    struct pool *p;

    lock_take(&w->lock);
    p = find_pool(w, key);
    p->reserved--;
    w->reserved--;
    drop_pool_if_unused(w, p);
    lock_release(&w->lock);
}

void workers_submit(struct workers *w, struct str key, struct job *job)
{
    struct pool *p;

    lock_take(&w->lock);
    p = find_pool(w, key);
    job->next = NULL;
    job->carried_out = false;
    *p->last = job;
    p->last = &job->next;
    p->reserved--;
    w->reserved--;
    p->waiting++;
    p->recipients += job->count;
    w->busy++;
    if (!staff(w, p)) {
        log_message(LOG_LEVEL_ERROR, "worker", "no thread left for a delivery");
        add_done(w, take_waiting(p));
        drop_pool_if_unused(w, p);
    }
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
    lock_take(&w->lock);
    w->stopping = true;
    for (size_t i = 0; i < BUCKETS; i++)
        for (struct pool *p = w->buckets[i]; p != NULL; p = p->next) {
            set_starving(w, p, false);
            while (p->first != NULL)
                add_done(w, take_waiting(p));
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

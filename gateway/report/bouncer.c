#include "report/bouncer.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/stop.h"
#include "base/thread.h"
#include "message/id.h"
#include "queue/wake.h"
#include "report/bounce.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* A look every few seconds; pokes gather for a moment, so that what fails together costs one commit. */
enum { LOOK_MS = 5000, GATHER_MS = 50 };
/* Receivers wait no longer than a transaction takes, and have their turn between two. */
enum { BATCH_MOST = 50, BATCH_MS = 20, BETWEEN_MS = 10 };
/* After a failure of the database; and looking in vain takes a twentieth of the time at most, whatever failed and stays. */
enum { PAUSE_MS = 2000, LOOK_SHARE = 20 };

struct bouncer {
    const struct conf *conf;
    const struct directory *directory;
    struct queue queue;
    struct over over;
    struct wake wake;
    int poked; /* eventfd */
    struct lock lock;
    struct signal end;
    bool ended;
    struct bounce_result results[BATCH_MOST];
    int count;
};

/* Where a look is.  What fails in company is tried alone, and then passed by. */
struct look {
    int64_t after;   /* all up to this message is done */
    int64_t suspect; /* failed in company; 0: none */
    int64_t messages[BATCH_MOST];
    int count;
};

/* What is to be settled next, found outside of a transaction: mostly there is nothing.  False when the database failed. */
static bool find_some(struct bouncer *b, struct look *look)
{
    const int64_t enough = clock_now() + BATCH_MS;
    int64_t message = look->after;
    int found;

    look->count = 0;
    do {
        found = over_next(&b->over, message, clock_wall(), &message);
        if (found == 1 && message == look->suspect && look->count > 0)
            break;
        if (found == 1)
            look->messages[look->count++] = message;
    } while (found == 1 && look->count < BATCH_MOST && clock_now() < enough);
    return found >= 0;
}

static bool settle_some(struct bouncer *b, const struct look *look)
{
    const struct bounce_means means = {b->conf, b->directory};
    const int64_t enough = clock_now() + BATCH_MS;
    bool ok = true;

    for (b->count = 0; ok && b->count < look->count && (b->count == 0 || clock_now() < enough); b->count++)
        ok = bounce_settle(&b->over, &means, look->messages[b->count], &b->results[b->count]);
    return ok;
}

static void finish(struct bouncer *b, bool committed)
{
    bool reported = false;

    for (int i = 0; i < b->count; i++) {
        if (committed)
            bounce_log(&b->results[i]);
        reported |= b->results[i].report != 0;
        bounce_done(&b->results[i]);
    }
    b->count = 0;
    if (committed && reported)
        wake_send(&b->wake);
}

/* The last of the results is the one that failed. */
static void note_failure(struct bouncer *b, struct look *look)
{
    const struct bounce_result *failed = &b->results[b->count - 1];
    char id[QUEUE_ID_SIZE];

    if (b->count > 1) {
        look->suspect = failed->message;
        return;
    }
    queue_id_text(failed->message, id);
    log_message(LOG_LEVEL_ERROR, "report", "%s waits for its report, which is tried again later: %s", id, failed->failure.text);
    look->after = failed->message;
}

static bool database_failed(struct bouncer *b)
{
    (void)db_status(b->queue.db); /* which logs it */
    return false;
}

static bool run_batch(struct bouncer *b, struct look *look)
{
    int64_t done;
    bool ok;

    if (!queue_begin(&b->queue))
        return database_failed(b);
    ok = settle_some(b, look);
    done = look->messages[b->count - 1];
    if (!ok) {
        queue_rollback(&b->queue);
        note_failure(b, look);
    } else if (queue_commit(&b->queue)) {
        look->after = done;
    } else {
        ok = database_failed(b);
    }
    finish(b, ok);
    return ok;
}

static void look_through(struct bouncer *b)
{
    struct look look = {0};
    int64_t start;
    bool ok;

    do {
        start = clock_now();
        ok = find_some(b, &look) || database_failed(b);
        if (ok && look.count == 0)
            break;
        ok = ok && run_batch(b, &look);
    } while (!stop_wait(clock_now() + (ok ? BETWEEN_MS : PAUSE_MS)));
    stop_wait(clock_now() + (clock_now() - start) * LOOK_SHARE);
}

static void wait_for_poke(struct bouncer *b)
{
    struct pollfd p[] = {{.fd = b->poked, .events = POLLIN}, {.fd = stop_fd(), .events = POLLIN}};
    uint64_t pokes;

    if (poll(p, 2, LOOK_MS) > 0 && p[0].revents != 0)
        stop_wait(clock_now() + GATHER_MS);
    (void)!read(b->poked, &pokes, sizeof pokes);
}

static void run(void *argument)
{
    struct bouncer *b = argument;

    while (!stop_seen()) {
        look_through(b);
        if (!stop_seen())
            wait_for_poke(b);
    }
    lock_take(&b->lock);
    b->ended = true;
    signal_all(&b->end);
    lock_release(&b->lock);
}

static void bouncer_free(struct bouncer *b)
{
    queue_close(&b->queue);
    wake_close(&b->wake);
    if (b->poked >= 0)
        close(b->poked);
    lock_done(&b->lock);
    signal_done(&b->end);
    memory_free(&b);
}

static bool open_all(struct bouncer *b, char *error, size_t error_size)
{
    const struct conf *conf = b->conf;

    b->poked = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (b->poked < 0) {
        snprintf(error, error_size, "eventfd: %s", strerrordesc_np(errno));
        return false;
    }
    if (!queue_open(&b->queue, conf->store_source, error, error_size))
        return false;
    if (over_init(&b->over, &b->queue, conf->history > 0, conf->bounce_enabled))
        return true;
    snprintf(error, error_size, "%s", db_error(b->queue.db));
    return false;
}

struct bouncer *bouncer_start(const struct conf *conf, const struct directory *directory, char *error, size_t error_size)
{
    struct bouncer *b = memory_new(sizeof *b);

    b->conf = conf;
    b->directory = directory;
    b->queue.turn.fd = b->wake.fd = -1;
    lock_init(&b->lock);
    signal_init(&b->end);
    if (open_all(b, error, error_size)) {
        wake_open(&b->wake, conf->store_source);
        if (thread_start(run, b))
            return b;
        snprintf(error, error_size, "no thread is left");
    }
    bouncer_free(b);
    return NULL;
}

void bouncer_poke(struct bouncer *b)
{
    const uint64_t one = 1;

    if (b != NULL)
        (void)!write(b->poked, &one, sizeof one);
}

void bouncer_wait(struct bouncer *b)
{
    bool ended;

    if (b == NULL)
        return;
    lock_take(&b->lock);
    while (!b->ended && signal_wait(&b->end, &b->lock, stop_deadline()))
        ;
    ended = b->ended;
    lock_release(&b->lock);
    if (ended)
        bouncer_free(b);
}

#include "deliverd/scheduler.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/stop.h"
#include "deliverd/outcome.h"
#include "queue/wake.h"

#include <poll.h>

enum {
    LOOK_MS = 5000,          /* at the latest, look for what is due */
    PACE_MS = 3,             /* between turns: what comes meanwhile rides together, and receivers get the disk */
    FAILURE_PAUSE_MS = 1000, /* after a transaction that failed */
    DOMAINS_A_TURN = 1000,
    CLAIMS_A_DOMAIN = 128,
    CLAIMS_A_TURN = 1000,
    OTHERS_LOOK_MS = 1000, /* while an older deliverer drains */
    LAST_WORDS_MS = 2000,
    IN_HAND_MOST = 20000, /* recipients; one takes about 1 KB */
};

struct scheduler {
    const struct conf *conf;
    const struct directory *directory;
    struct workers *workers;
    struct queue queue;
    struct claims claims;
    struct owner owner;
    struct wake wake;
    char after[DOMAIN_SIZE];  /* where the round over the destinations stands */
    int64_t next_due;         /* clock_wall: the earliest that was not yet due in this round */
    int64_t turn_at;          /* clock_now: the next turn, not before */
    int64_t recover_at;       /* clock_now; CLOCK_NEVER when no other deliverer lives */
    bool round_complete;
    uint64_t turns;
    struct job *results;      /* done, not yet recorded */
    struct job *claimed, **claimed_last; /* in this turn */
    int claims_made;
    int64_t in_hand; /* recipients in memory */
    bool more;       /* due recipients were left for the next turn */
};

struct scheduler *scheduler_open(const struct conf *conf, const struct directory *directory, struct workers *workers, char *error, size_t error_size)
{
    struct scheduler *s = memory_new(sizeof *s);

    s->conf = conf;
    s->directory = directory;
    s->workers = workers;
    if (!queue_open(&s->queue, conf->store_source, error, error_size))
        goto failed;
    if (!claims_init(&s->claims, &s->queue)) {
        str_copy(str_of(db_error(s->queue.db)), error, error_size);
        goto failed;
    }
    if (!owner_open(&s->owner, conf->store_source, error, error_size))
        goto failed;
    wake_open(&s->wake, conf->store_source);
    return s;
failed:
    queue_close(&s->queue);
    memory_free(&s);
    return NULL;
}

static void release_message(struct message *m)
{
    if (m->jobs > 0)
        return;
    claimed_free(&m->claimed);
    memory_free(&m);
}

static void free_jobs(struct scheduler *s, struct job **jobs)
{
    while (*jobs != NULL) {
        struct job *job = *jobs;
        struct message *m = job->message;

        *jobs = job->next;
        s->in_hand -= (int64_t)job->count;
        memory_free(&job);
        m->jobs--;
        release_message(m);
    }
}

/* A job that came back unstarted because we stop goes back as it was; for any other reason it waits like one that failed. */
static bool record_results(struct scheduler *s)
{
    for (struct job *job = s->results; job != NULL; job = job->next)
        for (struct delivery *d = job->deliveries; d != NULL; d = d->next) {
            if (job->carried_out || !stop_seen())
                outcome_decide(s->conf, &job->message->claimed->envelope, d);
            if (!outcome_record(&s->claims, s->conf, d))
                return false;
        }
    return true;
}

static void log_results(const struct scheduler *s)
{
    for (const struct job *job = s->results; job != NULL; job = job->next)
        for (const struct delivery *d = job->deliveries; d != NULL; d = d->next)
            outcome_log(&job->message->claimed->envelope, d);
}

/* A recipient that has no way to go is tried for the record: it waits like any other, and says why. */
static bool defer_without_route(struct scheduler *s, struct message *m, struct delivery *d, const struct status *why)
{
    d->status = *why;
    outcome_decide(s->conf, &m->claimed->envelope, d);
    outcome_log(&m->claimed->envelope, d);
    return claims_mark(&s->claims, d, s->owner.number) && outcome_record(&s->claims, s->conf, d);
}

static struct job *find_job(struct job *jobs, const struct message *m, struct str set)
{
    while (jobs != NULL && !(jobs->message == m && str_equal(jobs->plan.set, set)))
        jobs = jobs->next;
    return jobs;
}

static struct job *add_job(struct scheduler *s, struct message *m, const struct route_plan *plan)
{
    struct job *job = memory_new(sizeof *job);

    job->message = m;
    job->plan = *plan;
    job->last = &job->deliveries;
    m->jobs++;
    *s->claimed_last = job;
    s->claimed_last = &job->next;
    s->claims_made++;
    return job;
}

/* Gives the recipient to the job of its message that goes its way; makes one if the next hop has room.  *BLOCKED: it has not. */
static bool claim_recipient(struct scheduler *s, struct message *m, struct job **mine, struct delivery *d, bool *blocked)
{
    struct arena *arena = &m->claimed->arena;
    struct route_plan plan;
    struct job *job;

    route_find(&plan, s->directory, &m->claimed->envelope, d->recipient.domain, arena);
    if (!status_is_ok(&plan.status))
        return defer_without_route(s, m, d, &plan.status);
    job = find_job(*mine, m, plan.set);
    if (job == NULL) {
        route_take_turns(&plan, s->turns++, arena);
        if (s->in_hand >= IN_HAND_MOST || !workers_reserve(s->workers, route_hop_key(&plan.hops[0], arena))) {
            *blocked = true;
            return true;
        }
        job = add_job(s, m, &plan);
        if (*mine == NULL)
            *mine = job;
    }
    d->next = NULL;
    *job->last = d;
    job->last = &d->next;
    job->count++;
    s->in_hand++;
    return claims_mark(&s->claims, d, s->owner.number);
}

static bool claim_message(struct scheduler *s, int64_t id, int64_t now, bool *blocked)
{
    struct message *m = memory_new(sizeof *m);
    struct job *mine = NULL;
    struct delivery *next;
    bool ok = true;
    int found = claims_load(&s->claims, id, now, &m->claimed);

    if (found > 0)
        for (struct delivery *d = m->claimed->deliveries; d != NULL && ok; d = next) {
            next = d->next;
            ok = claim_recipient(s, m, &mine, d, blocked);
        }
    release_message(m);
    return ok && found >= 0;
}

static bool claim_domain(struct scheduler *s, const char *domain, int64_t now)
{
    struct due due[CLAIMS_A_DOMAIN];
    int count = claims_due(&s->claims, domain, now, due, CLAIMS_A_DOMAIN);
    bool blocked = false, ok = count >= 0;

    for (int i = 0; i < count && ok && !blocked; i++)
        ok = claim_message(s, due[i].message, now, &blocked);
    if (count == CLAIMS_A_DOMAIN && !blocked)
        s->more = true;
    return ok;
}

/* A round over the destinations, or a part of one: where it stopped the next turn goes on. */
static bool claim(struct scheduler *s)
{
    int64_t now = clock_wall(), due;
    char domain[DOMAIN_SIZE];
    bool ok = true;

    if (s->round_complete) {
        s->after[0] = '\0';
        s->next_due = CLOCK_NEVER;
    }
    s->round_complete = s->more = false;
    for (int i = 0; ok && i < DOMAINS_A_TURN && s->claims_made < CLAIMS_A_TURN; i++) {
        int found = claims_next_domain(&s->claims, str_of(s->after), domain, &due);

        if (found <= 0) {
            s->round_complete = true;
            return found == 0;
        }
        str_copy(str_of(domain), s->after, sizeof s->after);
        if (due <= now)
            ok = claim_domain(s, domain, now);
        else
            s->next_due = clock_earlier(s->next_due, due);
    }
    return ok;
}

static bool recover(struct scheduler *s)
{
    int64_t recovered;
    bool others;

    if (!claims_recover(&s->claims, &s->owner, clock_wall(), s->conf->deliverd_retry_min, &recovered, &others))
        return false;
    s->recover_at = others ? clock_now() + OTHERS_LOOK_MS : CLOCK_NEVER;
    if (recovered > 0)
        log_message(LOG_LEVEL_WARNING, "recovered", "%lld recipients were in progress in a process that ended", (long long)recovered);
    return true;
}

static void take_results(struct scheduler *s)
{
    struct job **last = &s->results;

    while (*last != NULL)
        last = &(*last)->next;
    *last = workers_take_done(s->workers);
}

static void start_claimed(struct scheduler *s)
{
    struct job *next;

    for (struct job *job = s->claimed; job != NULL; job = next) {
        next = job->next;
        workers_submit(s->workers, route_hop_key(&job->plan.hops[0], &job->message->claimed->arena), job);
    }
    s->claimed = NULL;
}

static void drop_claimed(struct scheduler *s)
{
    for (struct job *job = s->claimed; job != NULL; job = job->next)
        workers_give_up(s->workers, route_hop_key(&job->plan.hops[0], &job->message->claimed->arena));
    free_jobs(s, &s->claimed);
}

static bool turn(struct scheduler *s)
{
    bool ok = queue_begin(&s->queue);

    s->turn_at = clock_now() + PACE_MS;
    s->claimed = NULL;
    s->claimed_last = &s->claimed;
    s->claims_made = 0;
    ok = ok && record_results(s);
    if (ok && clock_now() >= s->recover_at)
        ok = recover(s);
    if (ok && !stop_seen())
        ok = claim(s);
    ok = ok && queue_commit(&s->queue);
    if (ok) {
        log_results(s);
        free_jobs(s, &s->results);
        start_claimed(s);
        return true;
    }
    db_status(s->queue.db); /* for the log */
    queue_rollback(&s->queue);
    drop_claimed(s);
    return false;
}

static int64_t wait_until(const struct scheduler *s)
{
    int64_t look = clock_now() + LOOK_MS;

    if (!s->round_complete || s->more)
        return clock_now();
    if (s->next_due != CLOCK_NEVER)
        look = clock_earlier(look, clock_now() + s->next_due - clock_wall());
    return clock_earlier(look, s->recover_at);
}

static void wait_for_work(struct scheduler *s)
{
    struct pollfd p[3] = {
        {.fd = s->wake.fd, .events = POLLIN}, {.fd = workers_done_fd(s->workers), .events = POLLIN}, {.fd = stop_control(), .events = POLLIN}};

    if (stop_seen())
        p[0].fd = p[2].fd = -1;
    if (poll(p, 3, clock_poll_timeout(stop_seen() ? clock_earlier(stop_deadline(), clock_now() + LOOK_MS) : wait_until(s))) <= 0)
        return;
    if (p[0].revents != 0)
        wake_drain(&s->wake);
    if (p[2].revents != 0 && stop_hear() != STOP_NOTHING)
        stop_begin();
    stop_wait(s->turn_at);
}

/* What is still with workers when the grace is over is cut by their streams' own deadline; this waits for their last words. */
static void drain(struct scheduler *s)
{
    workers_stop(s->workers);
    for (;;) {
        /* Asked before the results are taken: a job that ends in between is seen in the next round. */
        bool busy = workers_busy(s->workers) > 0;

        take_results(s);
        if (s->results != NULL && !turn(s))
            stop_wait(clock_now() + FAILURE_PAUSE_MS);
        if ((!busy && s->results == NULL) || clock_now() > stop_deadline() + LAST_WORDS_MS)
            return;
        wait_for_work(s);
    }
}

void scheduler_run(struct scheduler *s)
{
    s->round_complete = true;
    while (!stop_seen()) {
        take_results(s);
        if (!turn(s)) {
            s->round_complete = true;
            stop_wait(clock_now() + FAILURE_PAUSE_MS);
            continue;
        }
        wait_for_work(s);
    }
    drain(s);
}

#include "deliverd/scheduler.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/stop.h"
#include "deliverd/outcome.h"
#include "message/id.h"
#include "queue/wake.h"

#include <poll.h>
#include <string.h>

enum {
    LOOK_MS = 5000,          /* at the latest, look for what is due */
    PACE_MS = 3,             /* between turns: what comes meanwhile rides together, and receivers get the disk */
    FAILURE_PAUSE_MS = 1000, /* after a transaction that failed */
    DOMAINS_A_TURN = 1000,
    CLAIMS_A_DOMAIN = 128,
    CLAIMS_A_TURN = 1000,
    OTHERS_LOOK_MS = 1000,   /* while another deliverer lives */
    RECOVER_MS = 600000,     /* at the latest, look for what dead deliverers left */
    CLAIM_MS = 10,           /* of a turn; the receivers wait meanwhile */
    CLOCK_JUMP_MS = 60000,
    LAST_WORDS_MS = 2000,
    UNREADABLE_MOST = 256,
    FULL_A_TURN = 16,        /* destinations for which there was no place */
    BLOCKED_MS = 100,        /* between turns that found no place for anything */
    DRAIN_LOOK_MS = 100,
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
    char after[DOMAIN_SIZE];  /* where the round over the destinations stands, */
    char began[DOMAIN_SIZE];  /* and where it began */
    bool wrapped;
    int64_t next_due;         /* clock_wall: the earliest that was not yet due in this round */
    int64_t turn_at;          /* clock_now: the next turn, not before */
    int64_t recover_at;       /* clock_now */
    bool company;             /* another deliverer lived when we last looked */
    int64_t clock_offset;     /* clock_wall - clock_now; it changes when somebody sets the clock */
    bool round_complete;
    bool blocked;             /* a next hop had no place in this turn */
    bool stalled;             /* all places are taken, but those for hops that do nothing */
    int64_t unreadable[UNREADABLE_MOST];
    int unreadable_count, unreadable_held;
    bool results_only;        /* the last turn failed: save what is done before claiming again */
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

enum claim_result { CLAIM_DONE, CLAIM_BLOCKED, CLAIM_ALL_FULL, CLAIM_FAILED };

/* A job of its own for the recipient's way, if its next hop has a place for one. */
static enum claim_result open_job(struct scheduler *s, struct message *m, struct route_plan *plan, struct job **job)
{
    struct arena *arena = &m->claimed->arena;
    struct str key;

    route_take_turns(plan, s->turns++, arena);
    key = str_of(plan->hops[0].key);
    switch (workers_reserve(s->workers, key, s->in_hand >= IN_HAND_MOST)) {
    case WORKERS_POOL_FULL:
        return CLAIM_BLOCKED;
    case WORKERS_ALL_FULL:
        return CLAIM_ALL_FULL;
    case WORKERS_ROOM:
        break;
    }
    if (!claims_load_content(&s->claims, m->claimed)) {
        workers_give_up(s->workers, key);
        return CLAIM_FAILED;
    }
    *job = add_job(s, m, plan);
    return CLAIM_DONE;
}

/* Gives the recipient to the job of its message that goes its way. */
static enum claim_result claim_recipient(struct scheduler *s, struct message *m, const struct route_plan *way, struct job **mine, struct delivery *d)
{
    struct route_plan plan = *way;
    struct job *job;
    enum claim_result result;

    if (!status_is_ok(&plan.status))
        return defer_without_route(s, m, d, &plan.status) ? CLAIM_DONE : CLAIM_FAILED;
    job = find_job(*mine, m, plan.set);
    if (job == NULL) {
        result = open_job(s, m, &plan, &job);
        if (result != CLAIM_DONE)
            return result;
        if (*mine == NULL)
            *mine = job;
    }
    d->next = NULL;
    *job->last = d;
    job->last = &d->next;
    job->count++;
    s->in_hand++;
    return claims_mark(&s->claims, d, s->owner.number) ? CLAIM_DONE : CLAIM_FAILED;
}

static enum claim_result claim_recipients(struct scheduler *s, struct message *m)
{
    enum claim_result result = CLAIM_DONE;
    struct job *mine = NULL;
    struct route_plan plan = {0};
    struct str domain = STR("");
    struct delivery *next;

    for (struct delivery *d = m->claimed->deliveries; d != NULL && result == CLAIM_DONE; d = next) {
        next = d->next;
        if (!str_equal(d->recipient.domain, domain)) {
            domain = d->recipient.domain;
            route_find(&plan, s->directory, &m->claimed->envelope, domain, &m->claimed->arena);
        }
        result = claim_recipient(s, m, &plan, &mine, d);
    }
    return result;
}

static bool is_unreadable(const struct scheduler *s, int64_t id)
{
    for (int i = 0; i < s->unreadable_count; i++)
        if (s->unreadable[i] == id)
            return true;
    return false;
}

/* A message that cannot be read ends this turn, is held in the next, and never looked at again: the others go on. */
static enum claim_result note_unreadable(struct scheduler *s, int64_t id)
{
    char text[QUEUE_ID_SIZE];

    queue_id_text(id, text);
    log_message(LOG_LEVEL_ERROR, "unreadable", "message %s: %s", text, db_error(s->queue.db));
    if (s->unreadable_count < UNREADABLE_MOST)
        s->unreadable[s->unreadable_count++] = id;
    return CLAIM_FAILED;
}

static void hold_unreadable(struct scheduler *s)
{
    while (s->unreadable_held < s->unreadable_count && queue_begin(&s->queue)) {
        bool ok = claims_hold(&s->claims, s->unreadable[s->unreadable_held++], "the message cannot be read from the queue");

        if (!ok || !queue_commit(&s->queue)) {
            db_status(s->queue.db); /* for the log */
            queue_rollback(&s->queue);
        }
    }
}

static enum claim_result claim_message(struct scheduler *s, int64_t id, int64_t now)
{
    struct message *m = memory_new(sizeof *m);
    enum claim_result result = CLAIM_DONE;
    int found = claims_load(&s->claims, id, now, &m->claimed);

    if (found > 0)
        result = claim_recipients(s, m);
    if ((found < 0 || result == CLAIM_FAILED) && m->jobs == 0)
        result = note_unreadable(s, id);
    release_message(m);
    return result;
}

static enum claim_result claim_domain(struct scheduler *s, const char *domain, int64_t now)
{
    struct due due[CLAIMS_A_DOMAIN];
    int count = claims_due(&s->claims, domain, now, due, CLAIMS_A_DOMAIN);
    enum claim_result result = count >= 0 ? CLAIM_DONE : CLAIM_FAILED;

    for (int i = 0; i < count && result == CLAIM_DONE; i++)
        if ((i == 0 || due[i].message != due[i - 1].message) && !is_unreadable(s, due[i].message))
            result = claim_message(s, due[i].message, now);
    if (count == CLAIMS_A_DOMAIN && result == CLAIM_DONE)
        s->more = true;
    return result;
}

static void begin_round(struct scheduler *s)
{
    memcpy(s->began, s->after, sizeof s->began);
    s->wrapped = false;
    s->round_complete = false;
    s->next_due = CLOCK_NEVER;
}

/* The next destination of the round: behind the last one, from the top when the bottom is reached, until the round is where it began.  1, 0
 * at the end of the round, -1. */
static int next_in_round(struct scheduler *s, char *domain, int64_t *due)
{
    int found = claims_next_domain(&s->claims, str_of(s->after), domain, due);

    if (found == 0 && !s->wrapped && s->began[0] != '\0') {
        s->wrapped = true;
        s->after[0] = '\0';
        found = claims_next_domain(&s->claims, STR(""), domain, due);
    }
    return found > 0 && s->wrapped && strcmp(domain, s->began) > 0 ? 0 : found;
}

/* A round over the destinations, or a part of one: where it stopped the next turn goes on, so that everybody is first once. */
static bool claim(struct scheduler *s)
{
    int64_t now = clock_wall(), due, until = clock_now() + CLAIM_MS;
    char domain[DOMAIN_SIZE];
    int full = 0;

    if (s->round_complete)
        begin_round(s);
    s->more = s->stalled = s->blocked = false;
    for (int i = 0; i < DOMAINS_A_TURN && s->claims_made < CLAIMS_A_TURN && full < FULL_A_TURN && clock_now() <= until; i++) {
        int found = next_in_round(s, domain, &due);
        enum claim_result result = CLAIM_DONE;

        if (found <= 0) {
            s->round_complete = true;
            return found == 0;
        }
        if (due <= now)
            result = claim_domain(s, domain, now);
        else
            s->next_due = clock_earlier(s->next_due, due);
        s->blocked = s->blocked || result == CLAIM_BLOCKED;
        if (result == CLAIM_FAILED)
            return false;
        full += result == CLAIM_ALL_FULL; /* who comes behind may be a hop that does nothing yet */
        s->stalled = full > 0;
        str_copy(str_of(domain), s->after, sizeof s->after);
    }
    return true;
}

/* Whether others live is asked before the rows are: who dies in between is found by the look that follows. */
static bool recover(struct scheduler *s)
{
    bool had_company = s->company;
    int64_t recovered;

    s->company = owner_has_company(&s->owner);
    if (!claims_recover(&s->claims, &s->owner, clock_wall(), s->conf->deliverd_retry_min, &recovered))
        return false;
    s->recover_at = clock_now() + (s->company || had_company ? OTHERS_LOOK_MS : RECOVER_MS);
    if (recovered > 0)
        log_message(LOG_LEVEL_WARNING, "recovered", "%lld recipients were in progress in a process that ended", (long long)recovered);
    return true;
}

/* A clock that was ahead and has been set back must not keep mail waiting until the wrong time comes; nor one that was wrong before we
 * started. */
static bool heed_clock(struct scheduler *s)
{
    int64_t offset = clock_wall() - clock_now(), longest = s->conf->deliverd_retry_max;
    bool set_back = s->clock_offset == 0 || offset < s->clock_offset - CLOCK_JUMP_MS;

    s->clock_offset = offset;
    return !set_back || claims_bring_forward(&s->claims, clock_wall(), clock_wall() + longest + longest / 5);
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
        workers_submit(s->workers, str_of(job->plan.hops[0].key), job);
    }
    s->claimed = NULL;
}

static void drop_claimed(struct scheduler *s)
{
    for (struct job *job = s->claimed; job != NULL; job = job->next)
        workers_give_up(s->workers, str_of(job->plan.hops[0].key));
    free_jobs(s, &s->claimed);
}

static bool turn(struct scheduler *s)
{
    bool ok = queue_begin(&s->queue), had_results = s->results != NULL, saves_only = s->results_only;

    s->claimed = NULL;
    s->claimed_last = &s->claimed;
    s->claims_made = 0;
    ok = ok && record_results(s);
    if (ok && !s->results_only && clock_now() >= s->recover_at)
        ok = recover(s);
    if (ok && !s->results_only && !stop_seen())
        ok = heed_clock(s) && claim(s);
    ok = ok && queue_commit(&s->queue);
    s->results_only = !ok;
    /* Looking again at once for what has no place costs the receivers their turn. */
    s->turn_at = clock_now() + (s->blocked && s->claims_made == 0 && !had_results ? BLOCKED_MS : PACE_MS);
    if (ok) {
        s->more = s->more || saves_only;
        log_results(s);
        free_jobs(s, &s->results);
        start_claimed(s);
        return true;
    }
    db_status(s->queue.db); /* for the log */
    queue_rollback(&s->queue);
    drop_claimed(s);
    hold_unreadable(s);
    return false;
}

static int64_t wait_until(const struct scheduler *s)
{
    int64_t look = clock_now() + LOOK_MS;

    if (s->stalled && !s->round_complete)
        return clock_earlier(clock_now() + BLOCKED_MS, s->recover_at);
    if (!s->round_complete || s->more || s->results_only)
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
    if (poll(p, 3, clock_poll_timeout(stop_seen() ? clock_now() + DRAIN_LOOK_MS : wait_until(s))) <= 0)
        return;
    if (p[0].revents != 0)
        wake_drain(&s->wake);
    if (p[2].revents != 0 && stop_hear() != STOP_NOTHING)
        stop_begin();
    stop_wait(s->turn_at);
}

/* Workers that did not come back in time (a resolver knows no deadline) end with the process; that is no crash of their messages. */
static void give_back_rest(struct scheduler *s)
{
    if (!queue_begin(&s->queue))
        return;
    if (!claims_give_back_all(&s->claims, s->owner.number) || !queue_commit(&s->queue))
        queue_rollback(&s->queue);
}

/* What is still with workers when the grace is over is cut by their streams' own deadline; this waits for their last words. */
static void drain(struct scheduler *s)
{
    log_message(LOG_LEVEL_INFO, "draining", "claims no more mail, %d deliveries are under way", workers_busy(s->workers));
    workers_stop(s->workers);
    for (;;) {
        /* Asked before the results are taken: a job that ends in between is seen in the next round. */
        bool busy = workers_busy(s->workers) > 0;

        take_results(s);
        if (s->results != NULL && !turn(s))
            stop_wait(clock_now() + FAILURE_PAUSE_MS);
        if ((!busy && s->results == NULL) || clock_now() > stop_deadline() + LAST_WORDS_MS)
            break;
        wait_for_work(s);
    }
    give_back_rest(s);
}

void scheduler_run(struct scheduler *s)
{
    s->round_complete = true;
    while (!stop_seen()) {
        take_results(s);
        if (!turn(s)) {
            s->round_complete = true;
            s->after[0] = '\0';
            stop_wait(clock_now() + FAILURE_PAUSE_MS);
            continue;
        }
        wait_for_work(s);
    }
    drain(s);
}

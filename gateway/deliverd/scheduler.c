#include "deliverd/scheduler.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/stop.h"
#include "deliverd/claimer.h"
#include "deliverd/round.h"
#include "queue/wake.h"

#include <poll.h>

enum {
    LOOK_MS = 5000,          /* at the latest, look for what is due, */
    ROUNDS_LOOK_MS = 1000,   /* and between rounds */
    PACE_MS = 3,             /* between turns: what comes meanwhile rides together, and receivers get the disk */
    FAILURE_PAUSE_MS = 1000, /* after a transaction that failed */
    VISITS_A_TURN = 1000,
    PASSED_A_TURN = 1000,    /* places where nothing is due */
    CLAIMS_A_VISIT = 128,    /* to a destination */
    CLAIMS_A_FLOW = 16,
    BLOCKED_A_VISIT = 4,     /* messages whose hops had no place */
    FEW = 128,
    CLAIMS_A_TURN = 1000,
    OTHERS_LOOK_MS = 1000,   /* while another deliverer lives */
    RECOVER_MS = 600000,     /* at the latest, look for what dead deliverers left */
    CLAIM_MS = 10,           /* of a turn; the receivers wait meanwhile */
    CLOCK_JUMP_MS = 60000,
    LAST_WORDS_MS = 2000,
    FULL_A_TURN = 16,        /* destinations for which there was no place */
    BLOCKED_MS = 100,        /* between turns that found no place for anything, */
    IN_VAIN_MS = 30,         /* or nothing at all */
    DRAIN_LOOK_MS = 100,
    CREWS = 3,
};

struct scheduler {
    const struct conf *conf;
    struct outcome_rules rules;
    struct workers *workers[CREWS];
    struct bouncer *bouncer;
    struct queue queue;
    struct claims claims;
    struct claimer claimer;
    struct owner owner;
    struct wake wake;
    struct round destinations, senders;
    bool rounds;              /* it takes rounds to serve what is due */
    int64_t next_due;         /* clock_wall, where it does not */
    uint64_t turns;
    int64_t turn_at;          /* clock_now: the next turn, not before */
    int64_t recover_at;       /* clock_now */
    bool company;             /* another deliverer lived when we last looked */
    int64_t clock_offset;     /* clock_wall - clock_now; it changes when somebody sets the clock */
    bool blocked;             /* a next hop had no place in this turn */
    bool stalled;             /* all places are taken, but those for hops that do nothing */
    bool results_only;        /* the last turn failed: save what is done before claiming again */
    struct job *results;      /* done, not yet recorded */
    bool more;                /* due recipients were left for the next turn */
};

struct scheduler *scheduler_open(const struct conf *conf, const struct directory *directory, const struct scheduler_crews *crews,
                                 struct bouncer *bouncer, char *error, size_t error_size)
{
    struct scheduler *s = memory_new(sizeof *s);

    s->conf = conf;
    s->rules = outcome_rules_of(conf);
    s->workers[0] = crews->local;
    s->workers[1] = crews->commands;
    s->workers[2] = crews->remote;
    s->bouncer = bouncer;
    if (!queue_open(&s->queue, conf->store_source, error, error_size))
        goto failed;
    if (!claims_init(&s->claims, &s->queue, conf->history > 0)) {
        str_copy(str_of(db_error(s->queue.db)), error, error_size);
        goto failed;
    }
    if (!owner_open(&s->owner, conf->store_source, error, error_size))
        goto failed;
    wake_open(&s->wake, conf->store_source);
    s->claimer = (struct claimer){.routes = {conf, directory}, .rules = &s->rules, .local = crews->local, .commands = crews->commands,
                                  .remote = crews->remote, .rates = rates_new(conf, directory), .claims = &s->claims, .owner = s->owner.number};
    round_init(&s->destinations, &s->claims, false);
    round_init(&s->senders, &s->claims, true);
    return s;
failed:
    queue_close(&s->queue);
    memory_free(&s);
    return NULL;
}

/* A job that came back unstarted because we stop, or because its hop went down, goes back as it was; for any other reason it waits like one
 * that failed. */
static bool record(struct scheduler *s, const struct job *job, struct delivery *d)
{
    const struct envelope *e = &job->message->claimed->envelope;
    bool postponed = job->postponed > 0 && !outcome_wants_word(s->conf, e, d);
    int64_t due = outcome_not_after_word(s->conf, e, d, job->postponed);

    if (job->carried_out || !(stop_seen() || postponed))
        outcome_decide(&s->rules, e, d);
    return outcome_record(&s->claims, d) && (!postponed || claims_postpone(&s->claims, d, due, &d->status));
}

static bool record_results(struct scheduler *s)
{
    for (struct job *job = s->results; job != NULL; job = job->next)
        for (struct delivery *d = job->deliveries; d != NULL; d = d->next)
            if (!record(s, job, d))
                return false;
    return true;
}

static void log_results(struct scheduler *s)
{
    bool over = s->claimer.over;

    for (const struct job *job = s->results; job != NULL; job = job->next)
        for (const struct delivery *d = job->deliveries; d != NULL; d = d->next) {
            if (job->postponed == 0 || d->outcome != OUTCOME_OPEN)
                outcome_log(&job->message->claimed->envelope, d);
            /* A wish that was heeded is not seen here: what was not delivered may be over. */
            over = over || d->outcome != OUTCOME_DELIVERED || d->relayed;
        }
    if (over)
        bouncer_poke(s->bouncer);
}

/* Takes the messages of DUE, as long as there is time.  A hop without a place is not in the way of what goes elsewhere. */
static enum claim_result take(struct scheduler *s, const struct due *due, int count, int64_t until, int blocked_most)
{
    const int64_t now = clock_wall();
    enum claim_result result = CLAIM_DONE, worst = CLAIM_DONE;
    int blocked = 0;

    for (int i = 0; i < count && result != CLAIM_FAILED && blocked < blocked_most; i++)
        if (clock_now() > until) {
            s->more = true;
            break;
        } else if (i == 0 || due[i].message != due[i - 1].message) {
            result = claimer_take(&s->claimer, due[i].message, now);
            worst = result > worst ? result : worst;
            blocked += result != CLAIM_DONE;
        }
    return worst;
}

/* What is due at the round's place: CLAIM_DONE also when more is left for the next visit. */
static enum claim_result visit(struct scheduler *s, struct round *r, int64_t now, int64_t until)
{
    struct due due[CLAIMS_A_VISIT];
    int most = r->by_flow ? CLAIMS_A_FLOW : CLAIMS_A_VISIT, count = round_due(r, now, due, most);
    enum claim_result result = count >= 0 ? take(s, due, count, until, r->by_flow ? most : BLOCKED_A_VISIT) : CLAIM_FAILED;

    if (count == most && result == CLAIM_DONE)
        s->more = true;
    return result;
}

/* A round, or a part of one: where it stopped the next turn goes on. */
static bool go_round(struct scheduler *s, struct round *r, int64_t until)
{
    int64_t now = clock_wall();
    int full = 0, found = 1;

    for (int i = 0; i < VISITS_A_TURN && s->claimer.made < CLAIMS_A_TURN && full < FULL_A_TURN && clock_now() <= until; i++) {
        enum claim_result result;

        found = round_next(r, now, PASSED_A_TURN);
        if (found <= 0)
            break;
        result = visit(s, r, now, until);
        s->blocked = s->blocked || result == CLAIM_BLOCKED;
        if (result == CLAIM_FAILED)
            return false;
        full += result == CLAIM_ALL_FULL; /* who comes behind may be a hop that does nothing yet */
    }
    s->stalled = s->stalled || full > 0;
    return found >= 0;
}

/* Destinations and senders share a turn, and take turns in being first: who has a place left finds both. */
static bool go_rounds(struct scheduler *s)
{
    int64_t now = clock_now();
    bool senders_first = s->turns++ % 2 == 0;

    return go_round(s, senders_first ? &s->senders : &s->destinations, now + CLAIM_MS / 2) &&
           go_round(s, senders_first ? &s->destinations : &s->senders, now + CLAIM_MS);
}

/* Where so little is due that all of it can be looked at, nobody needs to go round. */
static bool claim(struct scheduler *s)
{
    struct due due[FEW];
    int64_t now = clock_wall();
    int count = claims_due_first(&s->claims, now, due, FEW);
    enum claim_result result;

    s->more = s->stalled = s->blocked = false;
    s->rounds = count == FEW;
    if (s->rounds)
        return go_rounds(s);
    s->next_due = CLOCK_NEVER;
    if (count < 0 || claims_next_due(&s->claims, now, &s->next_due) < 0)
        return false;
    if (s->next_due <= now && !claims_hold_damaged(&s->claims)) /* what is no time sorts behind all times */
        return false;
    result = take(s, due, count, clock_now() + CLAIM_MS, FEW);
    s->blocked = result != CLAIM_DONE;
    s->stalled = result == CLAIM_ALL_FULL;
    return result != CLAIM_FAILED;
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

static bool bring_forward(struct scheduler *s, int64_t latest)
{
    return queue_begin(&s->queue) && claims_bring_forward(&s->claims, clock_wall(), latest) && queue_commit(&s->queue);
}

/* A clock that was ahead and has been set back must not keep mail waiting until the wrong time comes; nor one that was wrong before we
 * started.  The look takes its time with a long queue, and is no part of the turn's transaction. */
static bool heed_clock(struct scheduler *s)
{
    int64_t offset = clock_wall() - clock_now(), longest = s->conf->deliverd_retry_max, latest = clock_wall() + longest + longest / 5;
    bool set_back = s->clock_offset == 0 || offset < s->clock_offset - CLOCK_JUMP_MS;
    int ahead = set_back ? claims_are_ahead(&s->claims, latest) : 0;

    if (ahead < 0 || (ahead > 0 && !bring_forward(s, latest)))
        return false;
    s->clock_offset = offset;
    return true;
}

static void take_results(struct scheduler *s)
{
    struct job **last = &s->results;

    for (int i = 0; i < CREWS; i++) {
        while (*last != NULL)
            last = &(*last)->next;
        *last = workers_take_done(s->workers[i]);
    }
}

static bool turn(struct scheduler *s)
{
    bool had_results = s->results != NULL, saves_only = s->results_only;
    bool ok = (s->results_only || stop_seen() || heed_clock(s)) && queue_begin(&s->queue);

    claimer_begin(&s->claimer);
    ok = ok && record_results(s);
    if (ok && !s->results_only && clock_now() >= s->recover_at)
        ok = recover(s);
    if (ok && !s->results_only && !stop_seen())
        ok = claim(s);
    ok = ok && queue_commit(&s->queue);
    s->results_only = !ok;
    /* Looking again at once for what has no place costs the receivers their turn. */
    s->turn_at = clock_now() + (s->claimer.made > 0 || had_results ? PACE_MS : s->blocked ? BLOCKED_MS : IN_VAIN_MS);
    if (ok) {
        s->more = s->more || saves_only;
        log_results(s);
        claimer_free(&s->claimer, &s->results);
        claimer_submit(&s->claimer);
        return true;
    }
    db_status(s->queue.db); /* for the log */
    queue_rollback(&s->queue);
    s->recover_at = clock_now(); /* what was recovered is as it was */
    claimer_drop(&s->claimer);
    claimer_hold_unreadable(&s->claimer);
    return false;
}

static int64_t wait_until(const struct scheduler *s)
{
    int64_t look = clock_now() + (s->rounds ? ROUNDS_LOOK_MS : LOOK_MS);
    bool complete = !s->rounds || (s->destinations.complete && s->senders.complete);

    if (s->stalled && !complete)
        return clock_earlier(clock_now() + BLOCKED_MS, s->recover_at);
    if (!complete || s->more || s->results_only)
        return clock_now();
    if (!s->rounds && s->next_due != CLOCK_NEVER)
        look = clock_earlier(look, clock_now() + s->next_due - clock_wall());
    return clock_earlier(look, s->recover_at);
}

static void wait_for_work(struct scheduler *s)
{
    struct pollfd p[2 + CREWS] = {{.fd = s->wake.fd, .events = POLLIN}, {.fd = stop_control(), .events = POLLIN}};

    for (int i = 0; i < CREWS; i++)
        p[2 + i] = (struct pollfd){.fd = workers_done_fd(s->workers[i]), .events = POLLIN};
    if (stop_seen())
        p[0].fd = p[1].fd = -1;
    if (poll(p, 2 + CREWS, clock_poll_timeout(stop_seen() ? clock_now() + DRAIN_LOOK_MS : wait_until(s))) > 0) {
        if (p[0].revents != 0)
            wake_drain(&s->wake);
        if (p[1].revents != 0 && stop_hear() != STOP_NOTHING)
            stop_begin();
    }
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

static int busy(const struct scheduler *s)
{
    int count = 0;

    for (int i = 0; i < CREWS; i++)
        count += workers_busy(s->workers[i]);
    return count;
}

/* What is still with workers when the grace is over is cut by their streams' own deadline; this waits for their last words. */
static void drain(struct scheduler *s)
{
    log_message(LOG_LEVEL_INFO, "draining", "claims no more mail, %d deliveries are under way", busy(s));
    for (int i = 0; i < CREWS; i++)
        workers_stop(s->workers[i]);
    for (;;) {
        /* Asked before the results are taken: a job that ends in between is seen in the next round. */
        bool is_busy = busy(s) > 0;

        take_results(s);
        if (s->results != NULL && !turn(s))
            stop_wait(clock_now() + FAILURE_PAUSE_MS);
        if ((!is_busy && s->results == NULL) || clock_now() > stop_deadline() + LAST_WORDS_MS)
            break;
        wait_for_work(s);
    }
    give_back_rest(s);
}

void scheduler_run(struct scheduler *s)
{
    while (!stop_seen()) {
        take_results(s);
        if (!turn(s)) {
            round_reset(&s->destinations);
            round_reset(&s->senders);
            stop_wait(clock_now() + FAILURE_PAUSE_MS);
            continue;
        }
        wait_for_work(s);
    }
    drain(s);
}

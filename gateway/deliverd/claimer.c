#include "deliverd/claimer.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "message/id.h"

#include <string.h>

enum { IN_HAND_MOST = 20000 /* recipients; one takes about 1 KB */ };

void claimer_begin(struct claimer *c)
{
    c->jobs = NULL;
    c->last = &c->jobs;
    c->made = 0;
    c->over = false;
}

static void release_message(struct message *m)
{
    if (m->jobs > 0)
        return;
    claimed_free(&m->claimed);
    memory_free(&m);
}

static struct rates_way way_of(const struct route_plan *plan, const struct delivery *d)
{
    return (struct rates_way){
        .host = plan->hops[0].host, .port = plan->hops[0].port, .domain = d->recipient.domain, .flushed = d->flushed};
}

/* Rates are what others can bear: mailboxes of ours have none. */
static bool take_rate(struct claimer *c, const struct route_plan *plan, const struct rates_way *way, struct rates_wait *wait)
{
    return plan->is_local || rates_take(c->rates, way, clock_now(), wait);
}

static void give_rate_back(struct claimer *c, const struct route_plan *plan, const struct rates_way *way)
{
    if (!plan->is_local)
        rates_give_back(c->rates, way);
}

void claimer_free(struct claimer *c, struct job **jobs)
{
    while (*jobs != NULL) {
        struct job *job = *jobs;
        struct message *m = job->message;

        *jobs = job->next;
        c->in_hand -= (int64_t)job->count;
        memory_free(&job);
        m->jobs--;
        release_message(m);
    }
}

static struct workers *workers_of(const struct claimer *c, const struct route_plan *plan)
{
    if (!plan->is_local)
        return c->remote;
    return plan->hops[0].kind == HOP_COMMAND ? c->commands : c->local;
}

void claimer_submit(struct claimer *c)
{
    struct job *next;

    for (struct job *job = c->jobs; job != NULL; job = next) {
        next = job->next;
        workers_submit(workers_of(c, &job->plan), str_of(job->plan.hops[0].key), job);
    }
    c->jobs = NULL;
}

void claimer_drop(struct claimer *c)
{
    for (struct job *job = c->jobs; job != NULL; job = job->next) {
        const struct rates_way way = way_of(&job->plan, job->deliveries);

        workers_give_up(workers_of(c, &job->plan), str_of(job->plan.hops[0].key), job->flow);
        give_rate_back(c, &job->plan, &way);
    }
    claimer_free(c, &c->jobs);
}

/* A recipient that has no way to go is tried for the record: it waits like any other, and says why. */
static enum claim_result defer(struct claimer *c, struct message *m, struct delivery *d, const struct status *why)
{
    d->status = *why;
    outcome_decide(c->rules, &m->claimed->envelope, d);
    outcome_log(&m->claimed->envelope, d);
    c->over = c->over || d->outcome == OUTCOME_FAILED || d->warn;
    return claims_mark(c->claims, d, c->owner) && outcome_record(c->claims, d) ? CLAIM_DONE : CLAIM_FAILED;
}

/* A recipient whose hop cannot be spoken to now is left alone, unless its time is over or its sender is to be told. */
static enum claim_result put_off(struct claimer *c, struct message *m, struct delivery *d, int64_t due, const struct status *why)
{
    const struct envelope *e = &m->claimed->envelope;

    if (outcome_wants_word(c->rules->conf, e, d))
        return defer(c, m, d, why);
    due = outcome_not_after_word(c->rules->conf, e, d, due);
    return claims_postpone(c->claims, d, due, why) ? CLAIM_DONE : CLAIM_FAILED;
}

/* What the recipients of one message have come to, in one turn. */
struct progress {
    struct job *first;      /* of the message; its others stand behind it */
    struct str set, domain; /* what was refused last by a rate, */
    struct rates_wait wait; /* and until when: a job asks once (rates.h) */
    struct str full;        /* whose hop had no place */
};

static enum claim_result wait_for_rate(struct claimer *c, struct message *m, struct delivery *d, const struct progress *p)
{
    return put_off(c, m, d, clock_wall() + p->wait.until - clock_now(), &p->wait.why);
}

/* The recipients of a job that goes as one wait as one. */
static void remember_wait(struct progress *p, const struct route_plan *plan, const struct delivery *d)
{
    p->set = plan->one_by_one ? STR("") : plan->set;
    p->domain = d->recipient.domain;
}

static bool waits(const struct progress *p, const struct route_plan *plan, const struct delivery *d)
{
    return p->set.length > 0 && str_equal(p->set, plan->set) && str_equal(p->domain, d->recipient.domain);
}

/* Recipients with senders of their own, and members of a list, share no transaction with others. */
static bool is_like(const struct recipient *r, const struct recipient *other)
{
    return str_equal(r->sender, other->sender) && str_equal(r->list, other->list);
}

static struct job *find_job(struct job *jobs, const struct message *m, struct str set, const struct recipient *r)
{
    while (jobs != NULL && !(jobs->message == m && str_equal(jobs->plan.set, set) && is_like(&jobs->deliveries->recipient, r)))
        jobs = jobs->next;
    return jobs;
}

static struct job *add_job(struct claimer *c, struct message *m, const struct route_plan *plan)
{
    struct job *job = memory_new(sizeof *job);

    job->message = m;
    job->plan = *plan;
    job->last = &job->deliveries;
    m->jobs++;
    *c->last = job;
    c->last = &job->next;
    c->made++;
    return job;
}

/* A further domain in a job that was counted for its hop. */
static bool may_join(struct claimer *c, const struct job *job, const struct delivery *d, struct rates_wait *wait)
{
    const struct rates_way way = {.domain = d->recipient.domain, .flushed = d->flushed};

    for (const struct delivery *other = job->deliveries; other != NULL; other = other->next)
        if (str_equal(other->recipient.domain, d->recipient.domain))
            return true;
    return take_rate(c, &job->plan, &way, wait);
}

/* A place with the first hop of the plan that is not down; those before it go behind the others.  Where all are down, *PLACE is of the one
 * that is worth another try first. */
static void reserve(struct claimer *c, struct route_plan *plan, int64_t flow, int64_t flushed, struct workers_place *place)
{
    struct workers_place other;
    bool probing;

    workers_reserve(workers_of(c, plan), str_of(plan->hops[0].key), flow, flushed, c->in_hand >= IN_HAND_MOST, place);
    probing = place->probing;
    for (size_t i = 1; i < plan->count && place->room == WORKERS_DOWN; i++) {
        struct hop down = plan->hops[0];

        memmove(plan->hops, plan->hops + 1, (plan->count - 1) * sizeof *plan->hops);
        plan->hops[plan->count - 1] = down;
        workers_reserve(workers_of(c, plan), str_of(plan->hops[0].key), flow, flushed, c->in_hand >= IN_HAND_MOST, &other);
        probing = probing || other.probing;
        if (other.room != WORKERS_DOWN || other.until < place->until)
            *place = other;
    }
    /* To put a backlog off for the moments that a probe takes would cost more than to look at it again. */
    if (place->room == WORKERS_DOWN && probing)
        place->room = WORKERS_POOL_FULL;
}

/* A job of its own for the recipient's way, if its next hop has a place for one; NULL in *JOB where the recipient was put off. */
static enum claim_result open_job(struct claimer *c, struct message *m, struct progress *p, struct route_plan *plan, struct delivery *d,
                                  struct job **job)
{
    int64_t flow = envelope_flow(&m->claimed->envelope);
    struct workers_place place;
    struct rates_way way;
    struct str key;

    reserve(c, plan, flow, d->flushed, &place);
    key = str_of(plan->hops[0].key);
    way = way_of(plan, d);
    switch (place.room) {
    case WORKERS_POOL_FULL:
        return CLAIM_BLOCKED;
    case WORKERS_ALL_FULL:
        return CLAIM_ALL_FULL;
    case WORKERS_DOWN:
        return put_off(c, m, d, place.until, &place.why);
    case WORKERS_ROOM:
        break;
    }
    if (!take_rate(c, plan, &way, &p->wait)) {
        workers_give_up(workers_of(c, plan), key, flow);
        remember_wait(p, plan, d);
        return wait_for_rate(c, m, d, p);
    }
    if (!claims_load_content(c->claims, m->claimed)) {
        c->unread = true;
        workers_give_up(workers_of(c, plan), key, flow);
        give_rate_back(c, plan, &way);
        return CLAIM_FAILED;
    }
    *job = add_job(c, m, plan);
    (*job)->flow = flow;
    return CLAIM_DONE;
}

/* Gives the recipient to the job of its message that goes its way. */
static enum claim_result claim_recipient(struct claimer *c, struct message *m, const struct route_plan *way, struct progress *p, struct delivery *d)
{
    struct route_plan plan = *way;
    struct job *job;
    enum claim_result result = CLAIM_DONE;

    if (!status_is_ok(&plan.status))
        return defer(c, m, d, &plan.status);
    if (waits(p, &plan, d))
        return wait_for_rate(c, m, d, p);
    job = plan.one_by_one ? NULL : find_job(p->first, m, plan.set, &d->recipient);
    if (job == NULL && p->full.length > 0 && str_equal(p->full, plan.set))
        return CLAIM_BLOCKED;
    if (job == NULL) {
        route_take_turns(&plan, c->turns++, &m->claimed->arena);
        result = open_job(c, m, p, &plan, d, &job);
        p->full = result == CLAIM_BLOCKED || result == CLAIM_ALL_FULL ? plan.set : p->full;
    } else if (!may_join(c, job, d, &p->wait)) {
        remember_wait(p, &plan, d);
        return wait_for_rate(c, m, d, p);
    }
    if (job == NULL)
        return result;
    if (p->first == NULL)
        p->first = job;
    d->next = NULL;
    *job->last = d;
    job->last = &d->next;
    job->count++;
    c->in_hand++;
    return claims_mark(c->claims, d, c->owner) ? CLAIM_DONE : CLAIM_FAILED;
}

static void find_plan(const struct claimer *c, const struct message *m, const struct recipient *r, struct route_plan *plan)
{
    const struct envelope *e = &m->claimed->envelope;

    if (r->route != 0)
        route_find_chosen(plan, &c->routes, e, r->domain, r->route, &m->claimed->arena);
    else
        route_find(plan, &c->routes, e, r->domain, &m->claimed->arena);
}

/* A hop that has no place is not in the way of recipients who go elsewhere. */
static enum claim_result claim_recipients(struct claimer *c, struct message *m)
{
    enum claim_result result = CLAIM_DONE, worst = CLAIM_DONE;
    struct progress progress = {0};
    struct route_plan plan = {0};
    struct route_plan command;
    const struct recipient *last = NULL; /* whose plan this is */
    struct delivery *next;
    bool is_command;

    for (struct delivery *d = m->claimed->deliveries; d != NULL && result != CLAIM_FAILED; d = next) {
        next = d->next;
        if (last == NULL || !str_equal(d->recipient.domain, last->domain) || d->recipient.route != last->route) {
            last = &d->recipient;
            find_plan(c, m, last, &plan);
        }
        is_command = plan.is_local && route_find_command(&command, &c->routes, &d->recipient, &m->claimed->arena);
        result = claim_recipient(c, m, is_command ? &command : &plan, &progress, d);
        worst = result > worst ? result : worst;
    }
    return worst;
}

static bool is_unreadable(const struct claimer *c, int64_t id)
{
    for (int i = 0; i < c->unreadable_count; i++)
        if (c->unreadable[i] == id)
            return true;
    return false;
}

/* A message that cannot be read ends this turn, is held in the next, and never looked at again: the others go on. */
static enum claim_result note_unreadable(struct claimer *c, int64_t id)
{
    char text[QUEUE_ID_SIZE];

    queue_id_text(id, text);
    log_message(LOG_LEVEL_ERROR, "unreadable", "message %s: %s", text, db_error(c->claims->queue->db));
    if (c->unreadable_count < CLAIMER_UNREADABLE_MOST)
        c->unreadable[c->unreadable_count++] = id;
    return CLAIM_FAILED;
}

void claimer_hold_unreadable(struct claimer *c)
{
    struct queue *q = c->claims->queue;

    bool ok = true;

    while (ok && c->unreadable_held < c->unreadable_count && queue_begin(q)) {
        ok = claims_hold(c->claims, c->unreadable[c->unreadable_held], "the message cannot be read from the queue") && queue_commit(q);
        c->unreadable_held += ok;
        if (!ok) {
            db_status(q->db); /* for the log */
            queue_rollback(q);
        }
    }
}

enum claim_result claimer_take(struct claimer *c, int64_t message, int64_t now)
{
    struct message *m;
    enum claim_result result = CLAIM_DONE;
    int found;

    if (is_unreadable(c, message))
        return CLAIM_DONE;
    m = memory_new(sizeof *m);
    c->unread = false;
    found = claims_load(c->claims, message, now, &m->claimed);
    if (found > 0)
        result = claim_recipients(c, m);
    if (found < 0 || c->unread)
        result = note_unreadable(c, message);
    release_message(m);
    return result;
}

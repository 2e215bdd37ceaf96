#include "route/sts.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/stop.h"
#include "base/thread.h"
#include "directory/pool.h"
#include "directory/sts_policies.h"
#include "net/dns_records.h"
#include "route/sts_fetch.h"
#include "route/sts_memory.h"

#include <stdio.h>
#include <string.h>

/* A failure is remembered when the fetch had its fair time. */
enum { FETCH_MS = 60000, FAIR_MS = 5000, LOOK_MS = 500, TIDY_MS = 3600000, GONE_MS = 6 * 3600000 };
/* Seconds.  A policy lives for a minute at least, so that one that says 0 is not fetched for every message. */
enum { AGE_LEAST = 60, REFRESH_LEAST = 300, REFRESH_MOST = 86400 };
/* Rows stay behind their end, so that it can be told when mail comes. */
enum { EXPIRED_KEPT = 30 * 86400 };

struct sts {
    char *db_path, *ca_file;
    struct dns *dns;
    int64_t dns_timeout;
    struct pool *pool;
    bool read_only;
    struct lock lock;
    struct signal changed;
    struct sts_memory memory;
    int threads; /* that fetch beside */
    int64_t tidy_at;
};

/* One call of sts_find. */
struct call {
    struct sts *s;
    const char *domain;
    int64_t deadline;
    struct arena *arena;
    char id[STS_ID_SIZE]; /* of the record; "": there is none that counts */
    const char *gone;     /* why not */
    struct sts_held held;
    bool lapsed;          /* one that was enforced has expired */
    bool stopping;
    enum sts_trouble trouble;
    char reason[STS_REASON_SIZE];
};

static int64_t unix_now(void)
{
    return clock_wall() / 1000;
}

struct sts *sts_new(const char *db_path, struct dns *dns, int64_t dns_timeout, const char *ca_file, bool read_only)
{
    struct sts *s = memory_new(sizeof *s);

    s->db_path = memory_string(db_path);
    s->ca_file = memory_string(ca_file);
    s->dns = dns;
    s->dns_timeout = dns_timeout;
    s->pool = pool_new(db_path);
    s->read_only = read_only;
    lock_init(&s->lock);
    signal_init(&s->changed);
    return s;
}

void sts_free(struct sts **s)
{
    if (*s == NULL)
        return;
    lock_take(&(*s)->lock);
    while ((*s)->threads > 0)
        (void)signal_wait(&(*s)->changed, &(*s)->lock, CLOCK_NEVER);
    lock_release(&(*s)->lock);
    sts_memory_done(&(*s)->memory);
    pool_free(&(*s)->pool);
    signal_done(&(*s)->changed);
    lock_done(&(*s)->lock);
    memory_free(&(*s)->db_path);
    memory_free(&(*s)->ca_file);
    memory_free(s);
}

static void fail(struct call *c, enum sts_trouble trouble, const char *reason)
{
    c->trouble = trouble;
    snprintf(c->reason, sizeof c->reason, "%s", reason);
}

/* A policy that is there goes on. */
static void fail_stopping(struct call *c)
{
    if (c->held.counts)
        return;
    fail(c, STS_FETCH, "stopping");
    c->stopping = true;
}

/* Once in PAUSE; the lock is taken. */
static bool is_due(int64_t *next, int64_t pause)
{
    int64_t now = clock_now();

    if (now < *next)
        return false;
    *next = now + pause;
    return true;
}

/* What is kept counts before the row: it is younger, and it is there where it could not be stored. */
static bool take_kept(struct call *c, const struct sts_entry *e)
{
    return sts_memory_take(e, clock_now(), unix_now(), c->arena, &c->held);
}

static bool look_in_memory(struct call *c)
{
    const struct sts_entry *e;
    bool found;

    lock_take(&c->s->lock);
    e = sts_memory_find(&c->s->memory, c->domain);
    found = e != NULL && take_kept(c, e);
    lock_release(&c->s->lock);
    return found;
}

/* One that cannot be read, because an earlier program or a person wrote it, is none. */
static void hold_row(struct call *c, const struct sts_row *row)
{
    struct sts_held *h = &c->held;
    struct sts_policy policy;
    const char *problem;

    *h = (struct sts_held){.text = row->policy, .fetched = row->fetched, .expires = row->expires};
    if (!str_copy(str_of(row->id), h->id, STS_ID_SIZE) || !sts_read_policy(&policy, row->policy, c->arena, &problem))
        return;
    h->mode = policy.mode;
    h->counts = unix_now() < h->expires;
    c->lapsed = !h->counts && h->mode == STS_ENFORCE;
}

static bool look_in_database(struct call *c)
{
    struct tables *t = pool_borrow(c->s->pool);
    struct sts_row row;
    enum answer found;

    if (t == NULL)
        return false;
    found = sts_policies_find(t, str_of(c->domain), 0, c->arena, &row); /* also one that has expired */
    pool_return(c->s->pool, t, found == ANSWER_FAILED);
    if (found == ANSWER_YES)
        hold_row(c, &row);
    return found != ANSWER_FAILED;
}

static const char NO_RECORD[] = "there is no MTA-STS record";

/* Section 3.1: what begins otherwise is no record of ours, and of ours there is one. */
static void read_records(struct call *c, const struct dns_answer *a)
{
    struct buf text = {0};
    bool good = true;
    size_t count = 0;

    for (size_t i = 0; i < a->count; i++) {
        buf_clear(&text);
        if (!dns_read_txt(a->records[i], &text) || !str_starts(buf_str(&text), STR("v=STSv1;")))
            continue;
        count++;
        good = sts_read_record(buf_str(&text), c->id);
    }
    buf_done(&text);
    c->gone = count == 0 ? NO_RECORD : count > 1 ? "there is more than one MTA-STS record" : "the MTA-STS record is broken";
    if (count <= 1 && good)
        return;
    c->id[0] = '\0';
    fail(c, STS_INVALID, c->gone);
}

/* A stop of ours says nothing of the domain. */
static void read_failure(struct call *c, const struct dns_answer *a)
{
    c->gone = a->outcome == DNS_FAILED ? arena_text(c->arena, str_of(a->reason)) : NO_RECORD;
    if (a->outcome == DNS_FAILED && stop_seen())
        fail_stopping(c);
}

/* The rest of the call's time is the fetch's. */
static void ask_record(struct call *c)
{
    const int64_t deadline = clock_earlier(c->deadline, clock_now() + c->s->dns_timeout);
    char name[DNS_NAME_SIZE + 16];
    struct dns_answer a;

    snprintf(name, sizeof name, "_mta-sts.%s", c->domain);
    dns_ask(c->s->dns, name, DNS_TXT, deadline, c->arena, &a);
    if (a.outcome == DNS_FOUND)
        read_records(c, &a);
    else
        read_failure(c, &a);
}

static void log_fetched(const char *domain, const char *id, const struct sts_policy *policy)
{
    struct log_line line;

    log_begin(&line, LOG_LEVEL_INFO, "sts-fetched");
    log_text(&line, "domain", domain);
    log_text(&line, "id", id);
    log_text(&line, "mode", sts_mode_name(policy->mode));
    log_number(&line, "max_age", policy->max_age);
    log_end(&line);
}

/* Somebody ought to know before a policy that counts is lost (section 10.2), but for one that asks for nothing (section 3.3); where there is
 * none it is the other side's affair. */
static void log_failed(const char *domain, const char *id, const struct sts_fetched *f, int64_t expires)
{
    struct log_line line;

    log_begin(&line, expires > 0 ? LOG_LEVEL_WARNING : LOG_LEVEL_INFO, "sts-not-fetched");
    log_text(&line, "domain", domain);
    log_text(&line, "id", id);
    if (expires > 0)
        log_number(&line, "left_s", expires > unix_now() ? expires - unix_now() : 0);
    log_text(&line, "reason", f->reason);
    log_end(&line);
}

static void log_warning(const struct call *c, const char *event, const char *number, int64_t value, const char *reason)
{
    struct log_line line;

    log_begin(&line, LOG_LEVEL_WARNING, event);
    log_text(&line, "domain", c->domain);
    log_text(&line, "id", c->held.id);
    log_number(&line, number, value);
    log_text(&line, "reason", reason);
    log_end(&line);
}

static bool is_time_to_tidy(struct sts *s)
{
    bool it_is;

    lock_take(&s->lock);
    it_is = is_due(&s->tidy_at, TIDY_MS);
    lock_release(&s->lock);
    return it_is;
}

static struct status store_in(struct sts *s, struct tables *t, const char *domain, const struct sts_row *row)
{
    struct status status = sts_policies_store(t, str_of(domain), row);

    if (status_is_ok(&status) && is_time_to_tidy(s))
        status = sts_policies_tidy(t, unix_now() - EXPIRED_KEPT);
    return status;
}

static void store(struct sts *s, const char *domain, const struct sts_held *h)
{
    const struct sts_row row = {.id = h->id, .policy = h->text, .fetched = h->fetched, .expires = h->expires};
    char error[STATUS_TEXT_SIZE];
    struct tables *t = tables_open(s->db_path, error, sizeof error);
    struct status status = t != NULL ? store_in(s, t, domain, &row) : status_make(451, "4.3.0", "%s", error);
    struct log_line line;

    tables_close(&t);
    if (status_is_ok(&status))
        return;
    log_begin(&line, LOG_LEVEL_ERROR, "sts-not-stored");
    log_text(&line, "domain", domain);
    log_status(&line, &status);
    log_end(&line);
}

static void hold_fetched(struct sts_held *h, const char *id, const struct sts_policy *policy)
{
    *h = (struct sts_held){.counts = true, .text = policy->text, .mode = policy->mode, .fetched = unix_now()};
    h->expires = h->fetched + (policy->max_age > AGE_LEAST ? policy->max_age : AGE_LEAST);
    snprintf(h->id, sizeof h->id, "%s", id);
}

/* F failed; the lock is taken.  True: it is to be logged. */
static bool remember(struct sts *s, struct sts_entry *e, const struct sts_fetched *f, bool is_fair)
{
    if (f->stopping)
        return false;
    if (is_fair)
        sts_memory_fail(e, f->trouble, f->reason, clock_now());
    return is_due(&e->told_until, STS_REMEMBERED_MS) && !s->read_only;
}

/* E is in use and marked as being fetched; the lock is not taken.  EXPIRES: when the policy does that is to be lost, 0: there is none. */
static bool fetch(struct sts *s, struct sts_entry *e, const char *id, int64_t expires, int64_t deadline, struct sts_fetched *f)
{
    int64_t began = clock_now();
    struct arena arena;
    struct sts_held h;
    bool ok, tell = false;

    arena_init(&arena);
    sts_fetch(e->domain, s->dns, s->ca_file, clock_earlier(deadline, began + FETCH_MS), &arena, f);
    ok = f->trouble == STS_FINE;
    if (ok)
        hold_fetched(&h, id, &f->policy);
    if (!s->read_only && ok) {
        store(s, e->domain, &h);
        log_fetched(e->domain, id, &f->policy);
    }
    lock_take(&s->lock);
    if (ok)
        sts_memory_keep(&s->memory, e, &h, clock_now());
    else
        tell = remember(s, e, f, clock_now() < deadline || deadline - began >= FAIR_MS);
    e->fetching = false;
    signal_all(&s->changed);
    lock_release(&s->lock);
    if (tell)
        log_failed(e->domain, id, f, expires);
    arena_done(&arena);
    return ok;
}

/* 0: nothing would be lost. */
static int64_t loss_at(const struct sts_held *h)
{
    return h->counts && h->mode != STS_NONE ? h->expires : 0;
}

/* The lock is taken before and after. */
static void fetch_here(struct call *c, struct sts_entry *e)
{
    struct sts_fetched f;

    e->fetching = true;
    lock_release(&c->s->lock);
    if (!fetch(c->s, e, c->id, loss_at(&c->held), c->deadline, &f) && !f.stopping)
        fail(c, f.trouble, f.reason);
    else if (f.stopping)
        fail_stopping(c);
    lock_take(&c->s->lock);
    take_kept(c, e);
}

struct job {
    struct sts *s;
    struct sts_entry *e;
    char id[STS_ID_SIZE];
    int64_t expires;
};

static void run_job(void *argument)
{
    struct job *j = argument;
    struct sts_fetched f;

    (void)fetch(j->s, j->e, j->id, j->expires, CLOCK_NEVER, &f);
    lock_take(&j->s->lock);
    j->e->users--;
    j->s->threads--;
    signal_all(&j->s->changed);
    lock_release(&j->s->lock);
    memory_free(&j);
}

static void fetch_beside(struct call *c, struct sts_entry *e)
{
    struct job *j = memory_new(sizeof *j);

    *j = (struct job){.s = c->s, .e = e, .expires = loss_at(&c->held)};
    memcpy(j->id, c->held.id, sizeof j->id);
    if (!thread_start(run_job, j)) {
        memory_free(&j);
        return;
    }
    e->fetching = true;
    e->users++;
    c->s->threads++;
}

/* The time of the fetch may lie ahead after the clock was wrong. */
static bool is_old(const struct sts_held *h)
{
    int64_t age = unix_now() - h->fetched, half = (h->expires - h->fetched) / 2;
    int64_t most = half < REFRESH_MOST ? half : REFRESH_MOST;

    return age < 0 || age >= (most > REFRESH_LEAST ? most : REFRESH_LEAST);
}

/* The lock is taken. */
static void refresh(struct call *c, struct sts_entry *e)
{
    if (is_old(&c->held) && clock_now() >= e->quiet_until && !e->fetching && !c->s->read_only && !stop_seen())
        fetch_beside(c, e);
}

/* The record's id is known; the lock is taken. */
static void settle(struct call *c, struct sts_entry *e)
{
    for (;;) {
        take_kept(c, e);
        if (c->held.counts && strcmp(c->held.id, c->id) == 0) {
            refresh(c, e);
            return;
        }
        if (clock_now() < e->quiet_until) {
            fail(c, e->trouble, e->reason);
            return;
        }
        if (stop_seen()) {
            fail_stopping(c);
            return;
        }
        if (!e->fetching) {
            fetch_here(c, e);
            return;
        }
        if (c->held.counts)
            return;
        if (clock_now() >= c->deadline) {
            fail(c, STS_FETCH, "the policy is still being fetched");
            return;
        }
        signal_wait(&c->s->changed, &c->s->lock, clock_earlier(c->deadline, clock_now() + LOOK_MS));
    }
}

static void follow_record(struct call *c)
{
    struct sts_entry *e;

    lock_take(&c->s->lock);
    e = sts_memory_make(&c->s->memory, c->domain, clock_now());
    if (e == NULL) {
        fail(c, STS_FETCH, "the policies of too many other domains are being fetched");
    } else {
        e->users++;
        settle(c, e);
        e->users--;
    }
    lock_release(&c->s->lock);
}

/* Whoever hides the record and stops the web server must not make the policy lapse unseen (sections 3.3, 10.2). */
static void follow_policy(struct call *c)
{
    struct sts_entry *e;
    bool tell = false;

    lock_take(&c->s->lock);
    e = sts_memory_make(&c->s->memory, c->domain, clock_now());
    if (e != NULL) {
        take_kept(c, e);
        refresh(c, e);
        tell = !c->s->read_only && !stop_seen() && c->held.mode != STS_NONE && is_due(&e->gone_until, GONE_MS);
    }
    lock_release(&c->s->lock);
    if (tell)
        log_warning(c, "sts-record-gone", "left_s", c->held.expires - unix_now(), c->gone);
}

/* Whoever deletes the row says so. */
static void tell_lapse(const struct call *c)
{
    char error[STATUS_TEXT_SIZE];
    struct tables *t = tables_open(c->s->db_path, error, sizeof error);
    enum answer was_there = t != NULL ? sts_policies_forget(t, str_of(c->domain), unix_now()) : ANSWER_FAILED;

    tables_close(&t);
    if (was_there != ANSWER_NO)
        log_warning(c, "sts-expired", "ago_s", unix_now() - c->held.expires, c->trouble != STS_FINE ? c->reason : c->gone);
}

static void follow(struct call *c)
{
    if (c->id[0] != '\0')
        follow_record(c);
    else if (c->held.counts)
        follow_policy(c);
    if (c->lapsed && !c->held.counts && !c->stopping && !c->s->read_only)
        tell_lapse(c);
}

static void hand_out(const struct call *c, struct sts_answer *answer)
{
    const char *problem;

    answer->trouble = c->trouble;
    memcpy(answer->reason, c->reason, sizeof answer->reason);
    if (!c->held.counts)
        return;
    answer->found = sts_read_policy(&answer->policy, c->held.text, c->arena, &problem);
    memcpy(answer->id, c->held.id, sizeof answer->id);
    answer->expires = c->held.expires;
}

void sts_find(struct sts *s, const char *domain, int64_t deadline, struct arena *arena, struct sts_answer *answer)
{
    struct call c = {.s = s, .domain = domain, .deadline = deadline, .arena = arena};

    *answer = (struct sts_answer){.found = false};
    if (domain[0] == '[') /* an address has no policy */
        return;
    if (look_in_memory(&c) || look_in_database(&c)) {
        ask_record(&c);
        follow(&c);
    } else {
        fail(&c, STS_DATABASE, "the database of MTA-STS policies cannot be read");
    }
    hand_out(&c, answer);
}

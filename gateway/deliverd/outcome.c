#include "deliverd/outcome.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/stop.h"
#include "message/id.h"

struct outcome_rules outcome_rules_of(const struct conf *conf)
{
    return (struct outcome_rules){conf, backoff_of(conf)};
}

static int64_t lifetime_of(const struct conf *conf, const struct envelope *e)
{
    return e->sender.length == 0 ? conf->deliverd_queue_bounces_lifetime : conf->deliverd_queue_lifetime;
}

static bool is_too_old(const struct conf *conf, const struct envelope *e)
{
    return clock_wall() - e->arrived >= lifetime_of(conf, e);
}

/* RFC 3461 section 4.1: without NOTIFY it is ours to decide, with NOTIFY the sender's. */
static bool wants_warning(const struct conf *conf, const struct envelope *e, const struct delivery *d)
{
    if (!conf->bounce_enabled || e->sender.length == 0 || d->warned || conf->bounce_delay == BOUNCE_DELAY_NONE)
        return false;
    return (d->recipient.notify & NOTIFY_DELAY) != 0 || (d->recipient.notify == 0 && conf->bounce_delay == BOUNCE_DELAY_ALL);
}

bool outcome_is_late(const struct conf *conf, const struct envelope *e, const struct delivery *d)
{
    return wants_warning(conf, e, d) && clock_wall() - e->arrived >= conf->bounce_delay_after;
}

bool outcome_wants_word(const struct conf *conf, const struct envelope *e, const struct delivery *d)
{
    return is_too_old(conf, e) || outcome_is_late(conf, e, d);
}

/* The last reason stays first: it is what the sender can act on. */
static void give_up(struct delivery *d, int64_t lifetime)
{
    char span[CLOCK_SPAN_SIZE], quoted[STATUS_QUOTED_SIZE];
    struct status last = d->status;

    clock_span(lifetime / 1000, span);
    status_quote(&last, quoted);
    d->status = status_make(last.code, "", "%s (given up after %s)", quoted, span);
    d->status.class = 5;
    d->status.subject = last.subject;
    d->status.detail = last.detail;
    /* RFC 3463 section 3.5: X.4.7 is "delivery time expired"; it is used where the attempt left no code of its own. */
    if (last.class == 0) {
        d->status.subject = 4;
        d->status.detail = 7;
    }
}

int64_t outcome_not_after_word(const struct conf *conf, const struct envelope *e, const struct delivery *d, int64_t due)
{
    if (wants_warning(conf, e, d) && !d->warn)
        due = clock_earlier(due, e->arrived + conf->bounce_delay_after);
    return clock_earlier(due, e->arrived + lifetime_of(conf, e));
}

/* While the process stops, what could not be finished is due at once, for the next process.  The last attempt is made when the lifetime is
 * over, and one when a delay is to be told of. */
static int64_t next_due(const struct outcome_rules *rules, const struct envelope *e, const struct delivery *d)
{
    int64_t now = clock_wall(), due = now + backoff_delay(&rules->backoff, d->attempts, d->greylisted);

    if (stop_seen())
        return now;
    return outcome_not_after_word(rules->conf, e, d, due);
}

void outcome_decide(const struct outcome_rules *rules, const struct envelope *e, struct delivery *d)
{
    if (d->outcome != OUTCOME_OPEN || d->left_over)
        return;
    if (d->status.code == 0)
        d->status = status_make(451, "4.3.0", "The attempt ended without an answer");
    d->relayed = d->relayed && rules->conf->bounce_enabled;
    if (status_is_ok(&d->status)) {
        d->outcome = OUTCOME_DELIVERED;
    } else if (status_is_temporary(&d->status) && !is_too_old(rules->conf, e)) {
        d->outcome = OUTCOME_LATER;
        d->warn = outcome_is_late(rules->conf, e, d);
        d->next_due = next_due(rules, e, d);
    } else {
        d->outcome = OUTCOME_FAILED;
        if (status_is_temporary(&d->status))
            give_up(d, lifetime_of(rules->conf, e));
    }
}

bool outcome_record(struct claims *claims, const struct delivery *d)
{
    int64_t now = clock_wall();

    switch (d->outcome) {
    case OUTCOME_OPEN:
        return claims_give_back(claims, d);
    case OUTCOME_DELIVERED:
        return claims_delivered(claims, d, now);
    case OUTCOME_LATER:
        return claims_later(claims, d, now, d->next_due);
    case OUTCOME_FAILED:
        break;
    }
    return claims_failed(claims, d, now);
}

void outcome_log(const struct envelope *e, const struct delivery *d)
{
    static const char *const events[] = {"given-back", "delivered", "deferred", "failed"};
    char id[QUEUE_ID_SIZE];
    struct log_line l;

    queue_id_text(e->id, id);
    log_begin(&l, LOG_LEVEL_INFO, events[d->outcome]);
    log_str(&l, "session", e->session);
    log_text(&l, "queue", id);
    log_str(&l, "sender", e->sender);
    log_str(&l, "recipient", d->recipient.address);
    if (d->host[0] != '\0')
        log_text(&l, "host", d->host);
    if (d->tls[0] != '\0')
        log_text(&l, "tls", d->tls);
    log_number(&l, "attempts", d->attempts);
    log_number(&l, "age", (clock_wall() - e->arrived) / 1000);
    log_status(&l, &d->status);
    log_end(&l);
}

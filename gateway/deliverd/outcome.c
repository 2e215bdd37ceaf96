#include "deliverd/outcome.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/stop.h"
#include "message/id.h"
#include "queue/backoff.h"

/* The last reason stays first: it is what the sender can act on. */
static void give_up(struct delivery *d, const struct conf *conf)
{
    char lifetime[CLOCK_SPAN_SIZE], quoted[STATUS_QUOTED_SIZE];
    struct status last = d->status;

    clock_span(conf->deliverd_queue_lifetime / 1000, lifetime);
    status_quote(&last, quoted);
    d->status = status_make(last.code, "", "%s (given up after %s)", quoted, lifetime);
    d->status.class = 5;
    d->status.subject = last.subject;
    d->status.detail = last.detail;
    /* RFC 3463 section 3.5: X.4.7 is "delivery time expired"; it is used where the attempt left no code of its own. */
    if (last.class == 0) {
        d->status.subject = 4;
        d->status.detail = 7;
    }
}

/* While the process stops, what could not be finished is due at once, for the next process. */
static int64_t next_due(const struct conf *conf, const struct delivery *d, int64_t now)
{
    if (stop_seen())
        return now;
    return now + backoff_delay(conf->deliverd_retry_min, conf->deliverd_retry_max, d->attempts);
}

void outcome_decide(const struct conf *conf, const struct envelope *e, struct delivery *d)
{
    if (d->outcome != OUTCOME_OPEN || d->left_over)
        return;
    if (d->status.code == 0)
        d->status = status_make(451, "4.3.0", "The attempt ended without an answer");
    if (status_is_ok(&d->status)) {
        d->outcome = OUTCOME_DELIVERED;
    } else if (status_is_temporary(&d->status) && clock_wall() - e->arrived < conf->deliverd_queue_lifetime) {
        d->outcome = OUTCOME_LATER;
    } else {
        d->outcome = OUTCOME_FAILED;
        if (status_is_temporary(&d->status))
            give_up(d, conf);
    }
}

bool outcome_record(struct claims *claims, const struct conf *conf, const struct delivery *d)
{
    int64_t now = clock_wall();

    switch (d->outcome) {
    case OUTCOME_OPEN:
        return claims_give_back(claims, d);
    case OUTCOME_DELIVERED:
        return claims_delivered(claims, d);
    case OUTCOME_LATER:
        return claims_later(claims, d, now, next_due(conf, d, now));
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

#include "report/bounce.h"

#include "base/clock.h"
#include "base/log.h"
#include "message/id.h"
#include "policy/expand.h"
#include "report/dsn.h"

#include <stdio.h>

/* Of a message that goes back without its content: what holds its header, or the start of one that has no end. */
enum { HEADER_MOST = 64 << 10 };

/* A message in hand. */
struct bounce {
    struct over *over;
    const struct conf *conf;
    const struct directory *directory; /* NULL: there is none to ask */
    struct over_message *message;
    struct bounce_result *result;
    int64_t now;
    struct path to;
    struct target *targets; /* those whom `to` stands for */
    const char *nobody; /* why there is nobody to tell; NULL: there is */
    bool last;          /* it goes to the postmaster, and is not reported again */
    struct dsn dsn;
    struct body content;
    struct dsn_recipient *recipients, **end; /* of the report */
};

static bool parse(struct bounce *b, struct str address)
{
    return path_parse_address(&b->to, address, &b->message->arena) == PATH_OK;
}

/* Only reports of ours go to the postmaster: two hosts whose postmasters are the other's would report to each other for ever. */
static void find_addressee(struct bounce *b)
{
    const struct envelope *e = &b->message->envelope;

    b->last = e->sender.length == 0;
    if (e->kind == MESSAGE_LAST_REPORT)
        b->nobody = "it is a report to the postmaster";
    else if (!b->last)
        b->nobody = parse(b, e->sender) ? NULL : "the sender is no address";
    else if (e->kind != MESSAGE_REPORT)
        b->nobody = "it has no sender";
    else if (b->conf->bounce_postmaster[0] == '\0')
        b->nobody = "it is a report, and TMAIL_BOUNCE_POSTMASTER is not set";
    else
        b->nobody = parse(b, str_of(b->conf->bounce_postmaster)) ? NULL : "TMAIL_BOUNCE_POSTMASTER is no address";
}

static enum dsn_action action_of(const struct over_recipient *r)
{
    static const enum dsn_action actions[] = {
        [RECIPIENT_FAILED] = DSN_FAILED, [RECIPIENT_DELIVERED] = DSN_DELIVERED, [RECIPIENT_RELAYED] = DSN_RELAYED};

    return r->state < RECIPIENT_FAILED ? DSN_DELAYED : actions[r->state];
}

/* RFC 3461 section 4.1: without NOTIFY a failure is told, and a delay may be. */
static bool is_wanted(const struct bounce *b, const struct over_recipient *r, enum dsn_action action)
{
    static const unsigned wishes[] = {
        [DSN_FAILED] = NOTIFY_FAILURE, [DSN_DELAYED] = NOTIFY_DELAY, [DSN_DELIVERED] = NOTIFY_SUCCESS, [DSN_RELAYED] = NOTIFY_SUCCESS};
    const enum conf_bounce_delay delay = b->conf->bounce_delay;

    if (b->last) /* our own reports go with NOTIFY=NEVER */
        return action == DSN_FAILED;
    if (action == DSN_DELAYED && (delay == BOUNCE_DELAY_NONE || (r->notify == 0 && delay != BOUNCE_DELAY_ALL)))
        return false;
    if (r->notify == 0)
        return action == DSN_FAILED || action == DSN_DELAYED;
    return (r->notify & (wishes[action] | NOTIFY_NEVER)) == wishes[action];
}

static void tell_of(struct bounce *b, const struct over_recipient *r, enum dsn_action action)
{
    struct dsn_recipient *d = arena_new(&b->message->arena, sizeof *d);

    *d = (struct dsn_recipient){.action = action,
                                .address = r->address,
                                .orcpt = r->orcpt,
                                .code = r->code,
                                .enhanced = r->enhanced,
                                .reason = r->reason,
                                .from_peer = r->from_peer,
                                .host = r->host,
                                .tried = r->tried,
                                .until = action == DSN_DELAYED ? b->message->envelope.arrived + b->conf->deliverd_queue_lifetime : 0};
    *b->end = d;
    b->end = &d->next;
    b->result->told++;
}

static void drop(struct bounce *b, const struct over_recipient *r, const char *why)
{
    struct bounce_result *result = b->result;
    struct bounce_drop *d = arena_new(&result->arena, sizeof *d);

    *d = (struct bounce_drop){.next = result->drops,
                              .address = arena_str(&result->arena, r->address),
                              .reason = arena_str(&result->arena, r->reason),
                              .why = why != NULL ? why : "the sender wants no report",
                              .expected = why == NULL};
    result->drops = d;
    result->dropped++;
}

static void decide(struct bounce *b, const struct over_recipient *r)
{
    enum dsn_action action;

    b->result->removed += r->state >= RECIPIENT_FAILED;
    /* Where nothing is reported, what failed is here because an administrator wants it to be. */
    if (r->state == RECIPIENT_DISCARDED || (!b->over->failures && r->state != RECIPIENT_FAILED))
        return;
    action = action_of(r);
    if (!is_wanted(b, r, action)) {
        if (action == DSN_FAILED)
            drop(b, r, NULL);
    } else if (b->nobody == NULL) {
        tell_of(b, r, action);
    } else if (action == DSN_FAILED) {
        drop(b, r, b->nobody);
    }
}

/* False when one is in a state that there is not. */
static bool decide_all(struct bounce *b)
{
    for (const struct over_recipient *r = b->message->recipients; r != NULL; r = r->next)
        if (r->state > RECIPIENT_DISCARDED)
            return false;
        else
            decide(b, r);
    return true;
}

static void address_report(struct bounce *b, struct envelope *report, bool utf8, bool eight_bit)
{
    const struct rcpt_params params = {.notify = NOTIFY_NEVER};
    struct arena *arena = &b->message->arena;
    char taken[sizeof "report on " + QUEUE_ID_SIZE], id[QUEUE_ID_SIZE];

    queue_id_text(b->message->envelope.id, id);
    snprintf(taken, sizeof taken, "report on %s", id);
    envelope_init(report, arena);
    report->id = b->dsn.id;
    report->arrived = b->now;
    report->session = b->message->envelope.session;
    report->client = STR("local");
    report->helo = str_of(b->conf->me);
    report->kind = b->last ? MESSAGE_LAST_REPORT : MESSAGE_REPORT;
    report->body = eight_bit ? BODY_8BITMIME : BODY_7BIT;
    report->smtputf8 = utf8;
    for (const struct target *t = b->targets; t != NULL; t = t->next)
        if (envelope_add(report, &t->path, &params)) {
            report->last->taken = arena_str(arena, str_of(taken));
            report->last->list = t->list;
        }
}

/* An alias that leads nowhere is told as it is called, and what becomes of that is the postmaster's to hear. */
static bool find_targets(struct bounce *b)
{
    struct arena *arena = &b->message->arena;
    struct expansion x = {.status = status_ok()};

    if (b->directory != NULL)
        policy_expand(&x, b->directory, b->conf, &b->to, arena);
    if (x.status.code == 451 && x.status.subject == 3 && x.status.detail == 0) {
        b->result->failure = x.status;
        return false;
    }
    b->targets = status_is_ok(&x.status) ? x.targets : NULL;
    if (b->targets != NULL)
        return true;
    b->targets = arena_new(arena, sizeof *b->targets);
    b->targets->path = b->to;
    return true;
}

static bool hold(struct bounce *b, const char *why)
{
    struct bounce_result *r = b->result;

    r->told = r->removed = r->dropped = 0;
    r->drops = NULL;
    if (!over_hold(b->over, r->message, why))
        return false;
    if (db_changes(b->over->queue->db) > 0)
        r->held = why;
    return true;
}

static bool put_report(struct bounce *b)
{
    struct envelope report;
    struct body body;
    bool utf8 = false, eight_bit = false, ok;

    body_init(&body, b->conf->tempdir);
    dsn_write(&b->dsn, &body, &utf8, &eight_bit);
    address_report(b, &report, utf8, eight_bit);
    ok = !body_failed(&body, &b->result->failure) && queue_put(b->over->queue, &report, &body) &&
         over_reported(b->over, b->message->envelope.id, report.id, b->now);
    body_done(&body);
    b->result->report = report.id;
    return ok;
}

/* With the message, or as much of it as goes back. */
static bool report(struct bounce *b)
{
    const int64_t most = dsn_returns_content(&b->dsn) ? b->message->size : HEADER_MOST;
    bool ok;

    body_init(&b->content, b->conf->tempdir);
    if (over_content(b->over, b->message, most, &b->content))
        ok = put_report(b) && over_close(b->over, b->result->message, b->now);
    else
        ok = !body_failed(&b->content, &b->result->failure) && hold(b, "no report can be made: the content cannot be read from the queue");
    body_done(&b->content);
    return ok;
}

static bool settle(struct bounce *b)
{
    find_addressee(b);
    b->end = &b->recipients;
    if (!decide_all(b))
        return hold(b, "no report can be made: the state of a recipient is none");
    if (b->recipients == NULL)
        return over_close(b->over, b->result->message, b->now);
    b->dsn = (struct dsn){.conf = b->conf,
                          .original = &b->message->envelope,
                          .size = b->message->size,
                          .content = &b->content,
                          .recipients = b->recipients,
                          .to = b->to.address,
                          .id = queue_id_new(),
                          .now = b->now};
    return find_targets(b) && report(b);
}

bool bounce_settle(struct over *o, const struct bounce_means *means, int64_t message, struct bounce_result *result)
{
    struct bounce b = {.over = o, .conf = means->conf, .directory = means->directory, .result = result, .now = clock_wall()};
    int found = over_load(o, message, &b.message);
    bool ok = found >= 0;

    *result = (struct bounce_result){.message = message};
    arena_init(&result->arena);
    if (found == 0) {
        ok = hold(&b, "no report can be made: the message is not in the queue");
    } else if (found == 1) {
        result->session = arena_str(&result->arena, b.message->envelope.session);
        ok = settle(&b);
    }
    over_free(&b.message);
    if (!ok && status_is_ok(&result->failure))
        result->failure = db_status(o->queue->db);
    return ok;
}

void bounce_done(struct bounce_result *result)
{
    arena_done(&result->arena);
}

static void begin_line(struct log_line *l, const struct bounce_result *result, enum log_level level, const char *event)
{
    char id[QUEUE_ID_SIZE];

    queue_id_text(result->message, id);
    log_begin(l, level, event);
    log_str(l, "session", result->session);
    log_text(l, "queue", id);
}

static void log_drop(const struct bounce_result *result, const struct bounce_drop *d)
{
    struct log_line l;

    begin_line(&l, result, d->expected ? LOG_LEVEL_INFO : LOG_LEVEL_WARNING, "dropped");
    log_str(&l, "recipient", d->address);
    log_text(&l, "why", d->why);
    log_str(&l, "reason", d->reason);
    log_end(&l);
}

void bounce_log(const struct bounce_result *result)
{
    char report[QUEUE_ID_SIZE];
    struct log_line l;

    if (result->held != NULL) {
        begin_line(&l, result, LOG_LEVEL_ERROR, "held");
        log_text(&l, "reason", result->held);
        log_end(&l);
    }
    if (result->report != 0) {
        queue_id_text(result->report, report);
        begin_line(&l, result, LOG_LEVEL_INFO, "report");
        log_text(&l, "report", report);
        log_number(&l, "recipients", result->told);
        log_end(&l);
    }
    for (const struct bounce_drop *d = result->drops; d != NULL; d = d->next)
        log_drop(result, d);
}

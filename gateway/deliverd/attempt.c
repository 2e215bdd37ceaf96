#include "deliverd/attempt.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/stop.h"
#include "deliverd/list.h"
#include "deliverd/program.h"
#include "message/id.h"
#include "smtp/verp.h"

#include <string.h>

static int64_t flushed_at(const struct job *job)
{
    int64_t latest = job->ticket.probe ? clock_wall() : 0; /* a probe shall knock, whatever is remembered */

    for (const struct delivery *d = job->deliveries; d != NULL; d = d->next)
        if (d->flushed > latest)
            latest = d->flushed;
    return latest;
}

static void note_connection(struct delivery *d, const struct connection *c)
{
    memcpy(d->host, c->name, sizeof d->host);
    memcpy(d->tls, c->tls, sizeof d->tls);
}

/* Neither taken nor refused for good by a server, and not to be sent as a transaction of its own. */
static bool is_open(const struct delivery *d)
{
    return (d->status.code == 0 || status_is_temporary(&d->status) || d->ours) && !d->left_over;
}

static bool has_open(const struct job *job)
{
    for (const struct delivery *d = job->deliveries; d != NULL; d = d->next)
        if (is_open(d))
            return true;
    return false;
}

static void settle_all(struct job *job, const struct status *status, const struct connection *c)
{
    for (struct delivery *d = job->deliveries; d != NULL; d = d->next) {
        d->status = *status;
        note_connection(d, c);
    }
}

/* RFC 6152 section 3 would have us convert or bounce; what is sent as it is arrives, and the log says so. */
static void note_eight_bit(const struct connection *connection, const struct envelope *e)
{
    char id[QUEUE_ID_SIZE];
    struct log_line l;

    if (e->body != BODY_8BITMIME || (connection->client.extensions & CLIENT_8BITMIME) != 0)
        return;
    queue_id_text(e->id, id);
    log_begin(&l, LOG_LEVEL_INFO, "note");
    log_str(&l, "session", e->session);
    log_text(&l, "queue", id);
    log_text(&l, "host", connection->name);
    log_text(&l, "message", "8-bit content goes as it is to a server that does not offer 8BITMIME");
    log_end(&l);
}

/* The server takes no more recipients in this transaction (RFC 5321 section 4.5.3.1.10). */
static bool is_left_over(const struct status *s)
{
    return s->code == 452 && ((s->subject == 5 && s->detail == 3) || (s->subject == 0 && s->detail == 0));
}

/* What a backup says of us, or does not understand, or does not offer, is no answer to mail that a better host would take later. */
static bool is_no_answer(const struct client_recipient *r)
{
    const struct status *s = &r->status;

    return r->ours || (status_is_permanent(s) && (s->code <= 504 || s->code == 555 || s->subject == 7));
}

static bool keeps(const struct delivery *d, const struct client_recipient *r)
{
    return status_is_temporary(&d->status) && d->status.from_peer && is_no_answer(r);
}

static void take_outcomes(const struct client_message *m, const struct connection *c)
{
    bool progress = false;

    for (size_t i = 0; i < m->count; i++)
        progress = progress || status_is_ok(&m->recipients[i].status);
    for (size_t i = 0; i < m->count; i++) {
        const struct client_recipient *r = &m->recipients[i];
        struct delivery *d = r->owner;

        if (keeps(d, r))
            continue;
        d->status = r->status;
        d->ours = r->ours;
        d->greylisted = r->deferred && status_is_temporary(&d->status);
        /* RFC 3461 section 5.2.2: who does not know NOTIFY cannot do what was asked. */
        d->relayed = status_is_ok(&d->status) && (d->recipient.notify & NOTIFY_SUCCESS) != 0 && (c->client.extensions & CLIENT_DSN) == 0;
        d->at_home = c->client.as_is;
        /* Those go again at once, as a transaction of their own, when this one is recorded: so a crash repeats no more than one. */
        d->left_over = progress && is_left_over(&d->status);
        note_connection(d, c);
    }
}

/* A connection that was kept was opened for another job, whose candidates may have stood in another order. */
static size_t candidate_of(const struct connection *c, const struct route_plan *plan)
{
    size_t i = 0;

    while (i < plan->count && strcmp(plan->hops[i].key, c->key) != 0)
        i++;
    return i;
}

static void note_sender_that_stays(const struct envelope *e, const struct recipient *r)
{
    char id[QUEUE_ID_SIZE];
    struct log_line l;

    queue_id_text(e->id, id);
    log_begin(&l, LOG_LEVEL_INFO, "note");
    log_str(&l, "session", e->session);
    log_text(&l, "queue", id);
    log_str(&l, "sender", e->sender);
    log_str(&l, "recipient", r->address);
    log_text(&l, "message", "the sender stays as it is: with the recipient in it (VERP) it would be too long");
    log_end(&l);
}

/* What MAIL says for JOB's recipients, who share it: the recipient's own sender, and where the route wants that, with the recipient's name
 * in it.  Nothing: the envelope's. */
static struct str sender_for(const struct attempt_context *context, const struct connection *c, const struct job *job, struct arena *arena)
{
    const struct envelope *e = &job->message->claimed->envelope;
    const struct recipient *r = &job->deliveries->recipient;
    const struct str own = r->sender.length > 0 ? r->sender : (struct str){0};
    size_t candidate = candidate_of(c, &job->plan);
    struct str sender;

    if (candidate == job->plan.count || !job->plan.hops[candidate].verp || (own.length == 0 && e->sender.length == 0))
        return own;
    if (verp_rewrite(own.length > 0 ? own : e->sender, r->address, str_of(context->conf->verp_delimiters), arena, &sender))
        return sender;
    note_sender_that_stays(e, r);
    return own;
}

/* The recipients of a job are members of one list, or of none. */
static struct str fields_of(const struct job *job, struct buf *to)
{
    list_fields(job->deliveries->recipient.list, to);
    return buf_str(to);
}

static void send_job(const struct attempt_context *context, struct connection *connection, struct job *job, struct body *body)
{
    struct arena arena = {0};
    struct buf fields = {0};
    struct claimed *claimed = job->message->claimed;
    struct client_recipient *recipients = memory_new(job->count * sizeof *recipients);
    struct client_message m = {.envelope = &claimed->envelope,
                               .sender = sender_for(context, connection, job, &arena),
                               .recipients = recipients,
                               .fields = fields_of(job, &fields),
                               .content = claimed->content,
                               .body = claimed->has_content ? NULL : body,
                               .size = claimed->size};

    for (struct delivery *d = job->deliveries; d != NULL; d = d->next)
        if (is_open(d)) {
            recipients[m.count].recipient = &d->recipient;
            recipients[m.count++].owner = d;
        }
    note_eight_bit(connection, &claimed->envelope);
    client_send(&connection->client, &m);
    take_outcomes(&m, connection);
    memory_free(&recipients);
    buf_done(&fields);
    arena_done(&arena);
}

/* The connection belongs to one of this job's candidates and may still be used. */
static bool is_usable(const struct attempt_context *context, const struct connection *c, const struct job *job)
{
    int64_t limit = context->conf->deliverd_connection_messages;

    return connection_serves(c, &job->plan) && !c->client.broken && clock_now() < c->expires && (limit == 0 || c->client.messages < limit);
}

/* RFC 5321 section 5.1: the other hosts of an MX are tried until one takes the mail.  A host that may have taken it is the last. */
static bool goes_on(const struct connection *c, const struct job *job, const struct tried *tried)
{
    return c->is_mx && !c->client.uncertain && tried->sessions < CONNECTION_SESSIONS_MOST && !stop_seen() && has_open(job);
}

/* What no host offers is refused, also when there are more of them than one attempt speaks to; what fewer were asked for another may offer,
 * later. */
static void soften(struct job *job, size_t asked, size_t hosts)
{
    bool enough = asked >= hosts || asked >= CONNECTION_SESSIONS_MOST;

    for (struct delivery *d = job->deliveries; d != NULL; d = d->next)
        if (d->ours && !enough && status_is_permanent(&d->status)) {
            d->status.code = (short)(d->status.code - 100);
            d->status.class = 4;
        }
}

/* A server that answered and then went silent tells neither. */
static void note_hop(struct job *job, const struct client *client)
{
    bool spoke = !client->broken && !client->unwelcome;

    job->hop_answered = job->hop_answered || spoke;
    job->hop_failed = job->hop_failed || (!spoke && (client->unwelcome || !client->answered));
}

static void send_first(const struct attempt_context *context, struct connection *c, struct job *job, struct body *body, struct tried *tried)
{
    tried->sessions++;
    send_job(context, c, job, body);
    note_hop(job, &c->client);
}

/* What the host of C, which has been sent the mail, would not take now goes to the next hosts of its MX; what a host has said of a recipient
 * stays where there is no other.  True when the last one would have nothing of it because of TLS or a login, which may be another's to
 * give. */
static bool send_to_others(const struct attempt_context *context, struct connection *c, struct job *job, struct body *body, struct tried *tried)
{
    const size_t candidate = candidate_of(c, &job->plan), hosts = c->hosts;
    bool unwelcome = c->client.unwelcome;
    struct status unused;

    while (candidate < job->plan.count && goes_on(c, job, tried)) {
        connection_close(c);
        if (!connection_open(c, context, &job->plan, candidate, candidate + 1, tried, flushed_at(job), &unused))
            break;
        send_first(context, c, job, body, tried);
        unwelcome = c->client.unwelcome;
    }
    soften(job, (size_t)tried->sessions, hosts);
    return unwelcome;
}

/* False when the connection was closed while it lay idle, or its login is over: nothing was taken, and a fresh one is due. */
static bool send_over_kept(const struct attempt_context *context, struct connection *c, struct job *job, struct body *body)
{
    struct tried tried = {.count = 0};

    if (!is_usable(context, c, job))
        return false;
    send_first(context, c, job, body, &tried);
    if (c->client.unwelcome || (c->client.broken && !c->client.answered))
        return false;
    if (c->is_mx)
        memcpy(tried.hosts[tried.count++], c->host, sizeof c->host);
    (void)send_to_others(context, c, job, body, &tried);
    return true;
}

/* RFC 5321 section 6.3: what comes back to a list goes nowhere. */
static bool stop_loop(struct job *job, struct body *body)
{
    struct str list = job->deliveries->recipient.list;
    struct status status;

    if (list.length == 0 || !list_had_it(list, job->message->claimed, body))
        return false;
    status = status_make(554, "5.4.6", "The message has been through the list %.*s already", STR_ARG(list));
    for (struct delivery *d = job->deliveries; d != NULL; d = d->next)
        d->status = status;
    return true;
}

static void run_program(const struct attempt_context *context, struct job *job, struct body *body)
{
    struct buf fields = {0};

    program_run(context, job, fields_of(job, &fields), body);
    buf_done(&fields);
}

/* To the first candidate that is ready for mail. */
static void send_fresh(const struct attempt_context *context, struct connection *connection, struct job *job, struct body *body)
{
    const size_t count = job->plan.count;
    struct tried tried = {.count = 0};
    struct status status;

    job->hop_failed = false; /* that a connection was closed while it lay idle is no failure */
    connection_close(connection);
    for (size_t first = 0; first < count; first = connection->candidate + 1) {
        if (!connection_open(connection, context, &job->plan, first, count, &tried, flushed_at(job), &status)) {
            if (first == 0) {
                settle_all(job, &status, connection);
                job->hop_failed = status_is_temporary(&status) && tried.theirs && !tried.ours;
            }
            return;
        }
        send_first(context, connection, job, body, &tried);
        if (!send_to_others(context, connection, job, body, &tried) || !has_open(job))
            return;
        connection_close(connection);
        tried.count = 0;
        tried.sessions = 0;
    }
}

void attempt_run(const struct attempt_context *context, struct connection *connection, struct job *job, struct body *body)
{
    if (stop_loop(job, body))
        return;
    if (program_serves(&job->plan))
        run_program(context, job, body);
    else if (!send_over_kept(context, connection, job, body))
        send_fresh(context, connection, job, body);
}

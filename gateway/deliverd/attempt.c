#include "deliverd/attempt.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "message/id.h"
#include "net/resolve.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

/* How many connections one attempt may try to open. */
enum { CONNECTS_MOST = 20 };

struct search {
    const struct attempt_context *context;
    const struct job *job;
    struct connection *connection;
    struct status status; /* of the last address tried */
    char name[CLAIM_HOST_SIZE];
    int connects;
};

void connection_close(struct connection *connection)
{
    if (connection->open)
        client_close(&connection->client);
    connection->open = false;
}

static void name_host(char *to, const struct hop *hop, const struct address *address)
{
    char text[ADDRESS_TEXT_SIZE];

    address_text(address, text);
    snprintf(to, CLAIM_HOST_SIZE, "%.200s[%s]:%d", hop->host, text, hop->port);
}

static void key_of(char *to, const struct hop *hop)
{
    snprintf(to, CLAIM_HOST_SIZE, "%.200s:%d,%.100s", hop->host, hop->port, hop->local_text);
}

static int64_t flushed_at(const struct job *job)
{
    int64_t latest = 0;

    for (const struct delivery *d = job->deliveries; d != NULL; d = d->next)
        if (d->flushed > latest)
            latest = d->flushed;
    return latest;
}

/* Want of descriptors or memory here says nothing about the host. */
static bool is_their_fault(const struct stream *s)
{
    if (s->fault == STREAM_ERROR)
        return s->error != EMFILE && s->error != ENFILE && s->error != ENOBUFS && s->error != ENOMEM && s->error != EADDRNOTAVAIL;
    return s->fault != STREAM_STOPPED;
}

/* A server that takes no mail from us now says nothing about the recipient. */
static void make_temporary(struct status *s)
{
    if (!status_is_permanent(s))
        return;
    s->code = (short)(s->code - 100);
    s->class = 4;
}

/* Connected and greeted, or the reason why not in search->status. */
static bool open_connection(struct search *s, const struct hop *hop, const struct address *address, const struct address *local, bool fallback)
{
    const struct conf *conf = s->context->conf;
    struct connection *c = s->connection;
    struct stream stream;

    name_host(s->name, hop, address);
    if (hosts_is_dead(s->context->hosts, address, local, flushed_at(s->job), &s->status))
        return false;
    s->connects++;
    if (!stream_connect(&stream, address, local, clock_now() + conf->deliverd_connect_timeout)) {
        s->status = status_make(451, "4.4.1", "Cannot connect to %s: %s", s->name, stream_fault_text(&stream));
        if (is_their_fault(&stream))
            hosts_mark_dead(s->context->hosts, address, local, &s->status);
        return false;
    }
    client_init(&c->client, &stream, conf->deliverd_remote_timeout);
    s->status = client_greet(&c->client, conf->me);
    if (!status_is_ok(&s->status)) {
        /* Who does not even greet is as dead as who does not answer: the next message need not wait for that again. */
        if (c->client.stream.fault == STREAM_TIMEOUT || c->client.stream.fault == STREAM_CLOSED)
            hosts_mark_dead(s->context->hosts, address, local, &s->status);
        make_temporary(&s->status);
        client_close(&c->client);
        return false;
    }
    hosts_mark_alive(s->context->hosts, address, local);
    c->open = true;
    memcpy(c->name, s->name, sizeof c->name);
    key_of(c->key, hop);
    c->expires = fallback ? clock_now() + conf->deliverd_dead_host_time : CLOCK_NEVER;
    return true;
}

/* The source addresses for one connection: in order, or starting where this turn starts. */
static bool open_from_any(struct search *s, const struct hop *hop, const struct address *address, bool fallback)
{
    static _Atomic uint64_t turns;
    const struct local_ips *local = hop->local.count > 0 ? &hop->local : &s->context->local;
    size_t start = local->in_turn ? (size_t)(atomic_fetch_add(&turns, 1) % local->count) : 0;
    bool tried = false;

    for (size_t i = 0; i < local->count; i++) {
        const struct address *source = &local->items[(start + i) % local->count];

        if (s->connects >= CONNECTS_MOST)
            return false;
        if (!address_is_any(source) && source->family != address->family)
            continue;
        tried = true;
        if (open_connection(s, hop, address, address_is_any(source) ? NULL : source, fallback))
            return true;
    }
    if (!tried)
        s->status = status_make(451, "4.4.4", "No source address of the family of %s", hop->host);
    return false;
}

static bool open_hop(struct search *s, const struct hop *hop, bool fallback)
{
    struct address addresses[RESOLVE_MOST];
    size_t count = 0;

    snprintf(s->name, sizeof s->name, "%.200s:%d", hop->host, hop->port);
    s->status = resolve(hop->host, hop->port, addresses, &count);
    for (size_t i = 0; i < count; i++)
        if (open_from_any(s, hop, &addresses[i], fallback))
            return true;
    return false;
}

static bool open_any(struct search *s)
{
    const struct route_plan *plan = &s->job->plan;

    for (size_t i = 0; i < plan->count && s->connects < CONNECTS_MOST; i++)
        if (open_hop(s, &plan->hops[i], i > 0))
            return true;
    return false;
}

static void settle_all(struct job *job, const struct status *status, const char *host)
{
    for (struct delivery *d = job->deliveries; d != NULL; d = d->next) {
        d->status = *status;
        memcpy(d->host, host, sizeof d->host);
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

static void take_outcomes(const struct client_message *m, const char *host)
{
    bool progress = false;

    for (size_t i = 0; i < m->count; i++)
        progress = progress || status_is_ok(&m->recipients[i].status);
    for (size_t i = 0; i < m->count; i++) {
        struct delivery *d = m->recipients[i].owner;

        d->status = m->recipients[i].status;
        /* Those go again at once, as a transaction of their own, when this one is recorded: so a crash repeats no more than one. */
        d->left_over = progress && is_left_over(&d->status);
        memcpy(d->host, host, sizeof d->host);
    }
}

static void send_job(struct connection *connection, struct job *job, struct body *body)
{
    struct claimed *claimed = job->message->claimed;
    struct client_recipient *recipients = memory_new(job->count * sizeof *recipients);
    struct client_message m = {.envelope = &claimed->envelope,
                               .recipients = recipients,
                               .content = claimed->content,
                               .body = claimed->has_content ? NULL : body,
                               .size = claimed->size};

    for (struct delivery *d = job->deliveries; d != NULL; d = d->next) {
        recipients[m.count].recipient = &d->recipient;
        recipients[m.count++].owner = d;
    }
    note_eight_bit(connection, &claimed->envelope);
    client_send(&connection->client, &m);
    take_outcomes(&m, connection->name);
    memory_free(&recipients);
}

/* The connection belongs to one of this job's candidates and may still be used. */
static bool is_usable(const struct attempt_context *context, const struct connection *c, const struct job *job)
{
    int64_t limit = context->conf->deliverd_connection_messages;
    char key[CLAIM_HOST_SIZE];

    if (!c->open || c->client.broken || clock_now() >= c->expires || (limit > 0 && c->client.messages >= limit))
        return false;
    for (size_t i = 0; i < job->plan.count; i++) {
        key_of(key, &job->plan.hops[i]);
        if (strcmp(key, c->key) == 0)
            return true;
    }
    return false;
}

void attempt_run(const struct attempt_context *context, struct connection *connection, struct job *job, struct body *body)
{
    struct search search = {.context = context, .job = job, .connection = connection};
    bool reused = is_usable(context, connection, job);

    if (!reused)
        connection_close(connection);
    if (reused) {
        send_job(connection, job, body);
        if (!connection->client.broken || connection->client.answered)
            return;
        /* It was closed while it lay idle: nothing was said about this message, so it goes again over a fresh one. */
        connection_close(connection);
    }
    if (open_any(&search))
        send_job(connection, job, body);
    else
        settle_all(job, &search.status, search.name);
}

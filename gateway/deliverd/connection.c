#include "deliverd/connection.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "deliverd/tls_count.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

/* How long mail goes over a connection before the DNS is asked again. */
enum { WAY_MS = 300000 };

struct search {
    const struct attempt_context *context;
    struct connection *connection;
    const struct hop *hop;
    struct way way;             /* to the hop */
    const struct way_host *host; /* of the way */
    struct security security;
    struct arena *arena;
    bool is_local;  /* the plan's */
    bool is_second; /* the candidates before have failed */
    int64_t flushed;
    struct status status; /* of the last address tried */
    struct tried *tried;
    int64_t reserve; /* connects that are kept for candidates and hosts behind this one */
    bool hop_is_over; /* its other addresses would say the same */
};

void connection_close(struct connection *c)
{
    if (c->open)
        client_close(&c->client);
    c->open = false;
    memory_free(&c->key);
}

bool connection_serves(const struct connection *c, const struct route_plan *plan)
{
    for (size_t i = 0; c->open && i < plan->count; i++)
        if (strcmp(plan->hops[i].key, c->key) == 0)
            return true;
    return false;
}

static void name_host(struct search *s, const struct address *address)
{
    char text[ADDRESS_TEXT_SIZE];

    address_text(address, text);
    snprintf(s->connection->name, CLAIM_HOST_SIZE, "%.200s[%s]:%d", s->host->name, text, s->hop->port);
}

static void name_tls(struct connection *c)
{
    static const char *const peers[] = {[TLS_PEER_NONE] = "no certificate", [TLS_PEER_UNVERIFIED] = "unverified", [TLS_PEER_VERIFIED] = "verified", [TLS_PEER_DANE] = "dane"};
    const struct tls_info *info = &c->client.tls_info;

    if (c->client.has_tls)
        snprintf(c->tls, sizeof c->tls, "%s %s %s", info->version, info->cipher, peers[info->peer]);
    else
        snprintf(c->tls, sizeof c->tls, "none");
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

/* Who does not even greet is as dead as who does not answer: the next message need not wait for that again. */
static bool is_silent(const struct client *client)
{
    return !client->greeted && (client->stream.fault == STREAM_TIMEOUT || client->stream.fault == STREAM_CLOSED);
}

/* A login that nobody knows to work is tried by one thread at a time. */
static struct status log_in(struct search *s)
{
    struct hop_logins *logins = s->context->logins;
    struct str key = str_of(s->hop->key);
    struct client *client = &s->connection->client;
    struct status status;
    enum hop_turn turn = hop_logins_enter(logins, key, s->flushed, &status);
    enum hop_login outcome;

    if (turn == HOP_TURN_NONE)
        return status;
    status = client_login(client, &s->security.client);
    outcome = status_is_ok(&status) ? HOP_LOGIN_WORKS : client->login_failed ? HOP_LOGIN_FAILED : HOP_LOGIN_UNTRIED;
    hop_logins_leave(logins, key, turn, outcome, &status);
    return status;
}

/* What is remembered of a host is remembered of its address; a Unix socket has none, and is asked each time. */
static void mark_dead(struct search *s, const struct host *host)
{
    if (host->address != NULL)
        hosts_mark_dead(s->context->hosts, host, &s->status);
}

static bool connect_to(const struct search *s, struct stream *stream, const struct host *host)
{
    int64_t deadline = clock_now() + s->context->conf->deliverd_connect_timeout;

    return host->address != NULL ? stream_connect(stream, host->address, host->local, deadline) : stream_connect_path(stream, s->hop->path, deadline);
}

static bool connect_and_greet(struct search *s, struct host *host)
{
    const struct conf *conf = s->context->conf;
    struct connection *c = s->connection;
    struct stream stream;

    s->tried->connects++;
    c->client = (struct client){0};
    if (!connect_to(s, &stream, host)) {
        s->status = status_make(451, "4.4.1", "Cannot connect to %s: %s", c->name, stream_fault_text(&stream));
        if (is_their_fault(&stream)) {
            mark_dead(s, host);
            s->tried->theirs = true;
        } else {
            s->tried->ours = true;
        }
        return false;
    }
    client_init(&c->client, &stream, conf->deliverd_remote_timeout);
    c->client.lmtp = s->hop->kind == HOP_LMTP;
    c->client.as_is = s->is_local;
    s->status = client_greet(&c->client, conf->me, &s->security.client);
    name_tls(c);
    if (!s->security.client.weakened && s->host != NULL)
        tls_count_session(s->context->results, &s->way, s->host, &c->client);
    if (status_is_ok(&s->status) && s->security.client.login.length > 0)
        s->status = log_in(s);
    if (status_is_ok(&s->status))
        return true;
    s->tried->theirs = true;
    if (is_silent(&c->client))
        mark_dead(s, host);
    s->hop_is_over = c->client.login_failed;
    make_temporary(&s->status);
    client_close(&c->client);
    return false;
}

static void log_fall_back(const struct search *s)
{
    struct log_line l;

    log_begin(&l, LOG_LEVEL_WARNING, "tls-fallback");
    log_text(&l, "host", s->connection->name);
    log_status(&l, &s->status);
    log_end(&l);
}

static int64_t expiry(const struct search *s)
{
    bool is_second = s->is_second || s->host->preference > s->way.hosts[0].preference;
    int64_t fallback = is_second ? clock_now() + s->context->conf->deliverd_dead_host_time : CLOCK_NEVER;

    return s->hop->is_mx || s->host->protection.heeds ? clock_earlier(fallback, clock_now() + WAY_MS) : fallback;
}

static void take_connection(struct search *s)
{
    s->connection->open = true;
    s->connection->key = memory_string(s->hop->key);
}

/* Ready for mail, or the reason why not in search->status. */
static bool open_address(struct search *s, const struct address *address, const struct address *local)
{
    struct host host = {.address = address, .local = local};
    struct connection *c = s->connection;
    bool ok;

    name_host(s, address);
    if (hosts_is_dead(s->context->hosts, &host, s->flushed, &s->status)) {
        s->tried->theirs = true;
        return false;
    }
    security_protect(&s->security, &s->host->protection);
    ok = connect_and_greet(s, &host);
    if (!ok && c->client.tls_failed && s->host->protection.may_fall_back) {
        log_fall_back(s);
        security_fall_back(&s->security);
        ok = connect_and_greet(s, &host);
    }
    if (!ok)
        return false;
    hosts_mark_alive(s->context->hosts, &host);
    take_connection(s);
    c->is_mx = s->way.is_mx;
    c->hosts = s->way.count;
    str_copy(str_of(s->host->name), c->host, sizeof c->host);
    c->expires = expiry(s);
    return true;
}

static bool has_connects_left(const struct search *s)
{
    return s->tried->connects + s->reserve < s->context->conf->deliverd_address_limit;
}

/* The source addresses for one connection: in order, or starting where this turn starts. */
static bool open_from_any(struct search *s, const struct address *address)
{
    static _Atomic uint64_t turns;
    const struct local_ips *local = s->hop->local.count > 0 ? &s->hop->local : &s->context->local;
    size_t start = local->in_turn ? (size_t)(atomic_fetch_add(&turns, 1) % local->count) : 0;
    bool tried = false;

    for (size_t i = 0; i < local->count && !s->hop_is_over; i++) {
        const struct address *source = &local->items[(start + i) % local->count];

        if (!has_connects_left(s))
            return false;
        if (!address_is_any(source) && source->family != address->family)
            continue;
        tried = true;
        if (open_address(s, address, address_is_any(source) ? NULL : source))
            return true;
    }
    if (!tried)
        s->status = status_make(451, "4.4.4", "No source address of the family of %s", s->host->name);
    return false;
}

static bool open_host(struct search *s, const struct way_host *host)
{
    s->host = host;
    s->connection->tls[0] = '\0';
    snprintf(s->connection->name, CLAIM_HOST_SIZE, "%.200s:%d", host->name, s->hop->port);
    s->status = host->status;
    if (!status_is_ok(&s->status)) {
        tls_count_host(s->context->results, &s->way, host);
        return false;
    }
    for (size_t i = 0; i < host->found.count && !s->hop_is_over && has_connects_left(s); i++)
        if (open_from_any(s, &host->found.addresses[i]))
            return true;
    return false;
}

static void note_tried(struct search *s, const struct way_host *host)
{
    struct tried *t = s->tried;

    if (s->way.is_mx && t->count < MX_MOST)
        str_copy(str_of(host->name), t->hosts[t->count++], DNS_NAME_SIZE);
}

static bool was_tried(const struct search *s, const struct way_host *host)
{
    for (size_t i = 0; s->way.is_mx && i < s->tried->count; i++)
        if (strcmp(s->tried->hosts[i], host->name) == 0)
            return true;
    return false;
}

/* Many dead addresses of the first host must not use up what the others need: one connect is kept for each, as long as half are left. */
static void keep_some(struct search *s, size_t behind)
{
    int64_t half = (s->context->conf->deliverd_address_limit - s->tried->connects) / 2;

    s->reserve = clock_earlier((int64_t)behind, half);
}

/* The hosts of the way in order; one that is us may end it.  BEHIND: candidates that follow this hop. */
static bool open_hosts(struct search *s, size_t behind)
{
    struct way *way = &s->way;

    for (size_t i = 0; i < way->count && !s->hop_is_over; i++) {
        if (was_tried(s, &way->hosts[i]))
            continue;
        way_look(way, i, &s->context->ways, s->arena);
        if (i >= way->count)
            break;
        keep_some(s, behind + way->count - 1 - i);
        if (!has_connects_left(s))
            break;
        note_tried(s, &way->hosts[i]);
        if (open_host(s, &way->hosts[i]))
            return true;
    }
    if (way->count == 0)
        s->status = way->status;
    return false;
}

static bool open_way(struct search *s, size_t behind)
{
    bool ok;

    way_find(&s->way, &s->context->ways, s->hop, s->arena);
    s->status = s->way.status;
    ok = status_is_ok(&s->status) && open_hosts(s, behind);
    if (!s->tried->counted)
        tls_count_way(s->context->results, &s->way);
    s->tried->counted = true;
    return ok;
}

/* With the password or the token at hand, which may have to be fetched. */
static bool open_prepared(struct search *s, size_t behind)
{
    bool ok = false;

    s->status = security_open(&s->security, &s->context->means, s->hop, s->flushed);
    if (status_is_ok(&s->status))
        ok = open_way(s, behind);
    if (!ok && s->connection->client.login_refused && s->security.client.oauth)
        tokens_refuse(s->context->means.tokens, s->hop->oauth, s->security.client.secret);
    security_done(&s->security);
    return ok;
}

/* Without a host, and nobody in between: no TLS. */
static bool open_socket(struct search *s)
{
    struct connection *c = s->connection;
    struct host host = {0};

    snprintf(c->name, CLAIM_HOST_SIZE, "%s", s->hop->path);
    s->host = NULL;
    s->security.client = (struct client_security){.policy = TLS_NONE};
    if (!has_connects_left(s) || !connect_and_greet(s, &host))
        return false;
    take_connection(s);
    c->is_mx = false;
    c->hosts = 1;
    c->host[0] = '\0';
    c->expires = s->is_second ? clock_now() + s->context->conf->deliverd_dead_host_time : CLOCK_NEVER;
    return true;
}

static bool open_hop(struct search *s, const struct hop *hop, size_t behind)
{
    s->hop = hop;
    s->host = NULL;
    s->hop_is_over = false;
    s->connection->tls[0] = '\0';
    s->connection->client = (struct client){0};
    if (hop->path != NULL)
        return open_socket(s);
    snprintf(s->connection->name, CLAIM_HOST_SIZE, "%.200s:%d", hop->host, hop->port);
    if (hop->login != NULL && hop_logins_have_failed(s->context->logins, str_of(hop->key), s->flushed, &s->status))
        return false;
    return open_prepared(s, behind);
}

bool connection_open(struct connection *c, const struct attempt_context *context, const struct route_plan *plan, size_t first, size_t end,
                     struct tried *tried, int64_t flushed, struct status *status)
{
    struct arena arena;
    struct search s = {.context = context, .connection = c, .tried = tried, .flushed = flushed, .is_local = plan->is_local, .arena = &arena};
    bool ok = false;

    arena_init(&arena);
    for (size_t i = first; i < end && has_connects_left(&s) && !ok; i++) {
        s.is_second = i > 0 || tried->sessions > 0;
        c->candidate = i;
        ok = open_hop(&s, &plan->hops[i], end - 1 - i);
        s.reserve = 0;
        if (!ok) {
            tried->count = 0;
            tried->counted = false;
        }
    }
    *status = s.status;
    arena_done(&arena);
    return ok;
}

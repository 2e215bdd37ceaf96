#include "lmtp/lmtp.h"

#include "base/clock.h"
#include "net/resolve.h"
#include "route/protection.h"

#include <stdio.h>

struct opening {
    struct client *client;
    const struct endpoint *endpoint;
    const struct lmtp_means *means;
    int64_t timeout;
    struct client_security security;
    struct status status;
};

void lmtp_name(const struct endpoint *e, char name[LMTP_NAME_SIZE])
{
    if (e->path != NULL)
        snprintf(name, LMTP_NAME_SIZE, "unix:%s", e->path);
    else
        snprintf(name, LMTP_NAME_SIZE, "%.255s:%d", e->host, e->port);
}

static struct status failed(const struct opening *o, const char *what, const char *why)
{
    char name[LMTP_NAME_SIZE];

    lmtp_name(o->endpoint, name);
    return status_make(451, "4.4.1", "%s %s: %s", what, name, why);
}

static bool greet(struct opening *o, struct stream *stream)
{
    struct client *c = o->client;

    stream->heed_stop = true;
    client_init(c, stream, o->timeout);
    c->lmtp = true;
    o->status = client_greet(c, o->means->conf->me, &o->security);
    if (status_is_ok(&o->status))
        return true;
    client_close(c);
    return false;
}

static bool open_path(struct opening *o, int64_t deadline)
{
    struct stream stream;

    if (stream_connect_path(&stream, o->endpoint->path, deadline))
        return greet(o, &stream);
    o->status = failed(o, "Cannot connect to", stream_fault_text(&stream));
    return false;
}

static bool open_address(struct opening *o, const struct address *address, int64_t deadline)
{
    struct stream stream;

    if (stream_connect(&stream, address, NULL, deadline))
        return greet(o, &stream);
    o->status = failed(o, "Cannot connect to", stream_fault_text(&stream));
    return false;
}

static void fall_back(struct opening *o)
{
    o->security.policy = TLS_NONE;
    o->security.wanted.proof = TLS_PROOF_ANY;
    o->security.weakened = true;
    o->security.plain_after = false;
}

static bool open_addresses(struct opening *o, const struct resolved *found, bool may_fall_back, int64_t deadline)
{
    for (size_t i = 0; i < found->count; i++) {
        bool ok = open_address(o, &found->addresses[i], deadline);

        if (!ok && o->client->tls_failed && may_fall_back) {
            fall_back(o);
            ok = open_address(o, &found->addresses[i], deadline);
        }
        if (ok || clock_now() >= deadline)
            return ok;
    }
    return false;
}

/* The rule of the configuration, read as that of a route is: nothing that others publish changes it. */
static struct protection protect(struct opening *o, const struct resolved *found, int64_t deadline, struct arena *arena)
{
    struct hop hop = {.kind = HOP_LMTP, .host = o->endpoint->host, .port = o->endpoint->port, .has_tls_rule = true};
    const struct protection_question question = {
        .conf = o->means->conf, .dns = o->means->dns, .hop = &hop, .host = hop.host, .found = found, .deadline = deadline};
    struct protection p;

    tls_rule_parse(&hop.tls_rule, str_of(o->means->conf->lmtp_tls));
    protection_find(&p, &question, arena);
    o->security = (struct client_security){.tls = o->means->tls,
                                           .wanted = p.wanted,
                                           .policy = p.policy,
                                           .wanted_by = "TMAIL_LMTP_TLS",
                                           .from_first_byte = p.from_first_byte,
                                           .plain_after = p.may_fall_back};
    return p;
}

static bool open_host(struct opening *o, int64_t deadline, struct arena *arena)
{
    const struct conf *conf = o->means->conf;
    struct protection p;
    struct resolved found;

    resolve(o->means->dns, o->endpoint->host, o->endpoint->port, conf->deliverd_ip_preference, deadline, arena, &found);
    o->status = found.status;
    if (found.count == 0)
        return false;
    p = protect(o, &found, deadline, arena);
    o->status = p.status;
    return status_is_ok(&p.status) && open_addresses(o, &found, p.may_fall_back, deadline);
}

/* What it says of us, or of itself, before the first recipient says nothing about any. */
static void make_temporary(struct status *s)
{
    if (!status_is_permanent(s))
        return;
    s->code = 451;
    s->class = 4;
}

struct status lmtp_open(struct client *c, const struct endpoint *e, const struct lmtp_means *means, int64_t timeout)
{
    struct opening o = {.client = c, .endpoint = e, .means = means, .timeout = timeout};
    int64_t deadline = clock_now() + means->conf->deliverd_connect_timeout;
    struct arena arena;
    bool ok;

    *c = (struct client){0};
    arena_init(&arena);
    ok = e->path != NULL ? open_path(&o, deadline) : open_host(&o, deadline, &arena);
    arena_done(&arena);
    if (!ok)
        make_temporary(&o.status);
    return o.status;
}

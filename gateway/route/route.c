#include "route/route.h"

#include "directory/route_text.h"
#include "route/local.h"

#include <string.h>

static const char *or_empty(const char *text)
{
    return text != NULL ? text : "";
}

/* For whom hops are made. */
struct place {
    const char *domain; /* the destination */
    bool optional;      /* as hops have it */
    bool rewritable;    /* a route may rewrite the sender */
    struct arena *arena;
};

/* Each part with its length: no two hops have one key because of what stands in a login. */
static void add_part(struct buf *key, const char *part)
{
    buf_print(key, "%zu:%s,", strlen(or_empty(part)), or_empty(part));
}

static bool is_mx(const struct route *r)
{
    return strcmp(r->remote_host, "mx") == 0;
}

/* What a route says, and what stands in the message, as far as a connection depends on it. */
static const char *make_key(const struct route *r, const struct place *place)
{
    const char *const parts[] = {r->remote_host, is_mx(r) ? place->domain : "", r->local_ips, r->tls, r->oauth, r->login, r->password};
    struct buf key = {0};
    const char *text;

    buf_print(&key, "%d,%d,%d,", r->remote_port, place->optional, r->verp && place->rewritable);
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        add_part(&key, parts[i]);
    text = arena_text(place->arena, buf_str(&key));
    buf_done(&key);
    return text;
}

/* What this version cannot carry out, or what must not be done, is not done by half: the mail waits and says why. */
static struct status check_route(const struct route *r, const struct hop *hop)
{
    if (is_mx(r) && r->login != NULL)
        return status_make(451, "4.3.5", "route %lld has a login and the host mx: a login is for a host that the route names",
                           (long long)r->id);
    if (r->tls != NULL && !hop->has_tls_rule)
        return status_make(451, "4.3.5", "route %lld has an unknown TLS rule (expected %s)", (long long)r->id, TLS_RULE_EXPECTED);
    if (r->login != NULL && hop->has_tls_rule && hop->tls_rule.policy == TLS_NONE)
        return status_make(451, "4.3.5", "route %lld has a login and the TLS rule none: a login is not sent in plain text", (long long)r->id);
    if ((r->login != NULL) != (r->password != NULL || r->oauth != NULL))
        return status_make(451, "4.3.5", "route %lld needs both a login and its password or OAuth client, or neither", (long long)r->id);
    if (r->remote_port < 1 || r->remote_port > 65535)
        return status_make(451, "4.3.5", "route %lld has a bad port", (long long)r->id);
    return status_ok();
}

/* The server that a route by LMTP names. */
static struct status take_lmtp(struct hop *hop, const struct route *r, struct arena *arena)
{
    struct endpoint e;

    if (!route_remote_is_lmtp(r->remote_host))
        return status_ok();
    if (!route_lmtp_endpoint(r->remote_host, &e, arena))
        return status_make(451, "4.3.5", "route %lld: \"%s\" is no LMTP host (expected lmtp:unix:/path or lmtp:HOST:PORT)", (long long)r->id, r->remote_host);
    local_set_endpoint(hop, &e);
    return status_ok();
}

static struct status take_route(struct hop *hop, const struct route *r, const struct place *place)
{
    char error[LOCAL_IPS_ERROR_SIZE];
    struct status status;

    *hop = (struct hop){.route = r->id,
                        .host = is_mx(r) ? place->domain : r->remote_host,
                        .is_mx = is_mx(r),
                        .optional = place->optional,
                        .port = r->remote_port,
                        .priority = r->priority,
                        .local_text = or_empty(r->local_ips),
                        .login = r->login,
                        .password = r->password,
                        .oauth = r->oauth,
                        .verp = r->verp && place->rewritable,
                        .key = make_key(r, place)};
    hop->has_tls_rule = r->tls != NULL && tls_rule_parse(&hop->tls_rule, str_of(r->tls));
    status = take_lmtp(hop, r, place->arena);
    if (status_is_ok(&status))
        status = check_route(r, hop);
    if (status_is_ok(&status) && hop->local_text[0] != '\0' && !local_ips_parse(&hop->local, str_of(hop->local_text), place->arena, error, sizeof error))
        status = status_make(451, "4.3.5", "route %lld: %s", (long long)r->id, error);
    return status;
}

/* An MX is not the same hop for another destination. */
static void join_set(struct route_plan *plan, struct arena *arena)
{
    struct buf set = {0};

    for (size_t i = 0; i < plan->count; i++)
        buf_print(&set, "%lld %s ", (long long)plan->hops[i].route, plan->hops[i].is_mx ? plan->hops[i].host : "");
    plan->set = arena_str(arena, buf_str(&set));
    buf_done(&set);
}

static void take_routes(struct route_plan *plan, const struct route *routes, size_t count, const struct place *place)
{
    plan->hops = arena_new(place->arena, count * sizeof *plan->hops);
    for (size_t i = 0; i < count; i++) {
        struct status status = take_route(&plan->hops[plan->count], &routes[i], place);

        if (status_is_ok(&status))
            plan->count++;
        else
            plan->status = status;
    }
    if (plan->count > 0)
        plan->status = status_ok();
    for (size_t i = 0; i < plan->count; i++)
        plan->one_by_one = plan->one_by_one || plan->hops[i].verp;
    join_set(plan, place->arena);
}

/* Routes compare the sender with its domain in normal form. */
static struct str normal_sender(const struct envelope *e, struct arena *arena)
{
    size_t at = e->sender.length;
    struct buf sender = {0};
    struct str copy;

    while (at > 0 && e->sender.data[at - 1] != '@')
        at--;
    buf_add(&sender, str_part(e->sender, 0, at));
    buf_add(&sender, at > 0 ? e->sender_host : e->sender);
    copy = arena_str(arena, buf_str(&sender));
    buf_done(&sender);
    return copy;
}

static struct place place_of(const struct envelope *e, struct str domain, struct arena *arena)
{
    return (struct place){.domain = arena_text(arena, domain),
                          .optional = e->tls_optional,
                          .rewritable = e->sender.length > 0 && e->kind == MESSAGE_MAIL,
                          .arena = arena};
}

static void not_answered(struct route_plan *plan, const char *what)
{
    plan->status = status_make(451, "4.3.0", "Cannot look up the %s now", what);
}

static void find_routes(struct route_plan *plan, const struct directory *d, const struct route_question *question, const struct place *place)
{
    const struct route mx = {.remote_host = "mx", .remote_port = SMTP_PORT};
    struct route *routes;
    size_t count;

    switch (d->routes(d->self, question, place->arena, &routes, &count)) {
    case ANSWER_YES:
        take_routes(plan, routes, count, place);
        break;
    case ANSWER_NO: /* what nobody has a route for goes to the destination's MX, unless its mailboxes are here */
        if (question->named)
            plan->is_local = true;
        else
            take_routes(plan, &mx, 1, place);
        break;
    case ANSWER_FAILED:
        not_answered(plan, "routes");
        break;
    }
}

void route_find(struct route_plan *plan, const struct route_means *means, const struct envelope *e, struct str domain, struct arena *arena)
{
    struct route_question question = {.user = e->user, .sender = normal_sender(e, arena), .domain = domain};
    const struct directory *d = means->directory;
    const struct place place = place_of(e, domain, arena);
    struct rcpthost host = {0};

    *plan = (struct route_plan){.status = status_ok()};
    if (d->rcpthost(d->self, domain, &host) == ANSWER_FAILED) {
        not_answered(plan, "domains");
        return;
    }
    question.named = host.is_local; /* what is for everywhere, a smart host, is not for mailboxes of ours */
    find_routes(plan, d, &question, &place);
    if (plan->is_local)
        local_find(plan, means->conf, arena);
}

bool route_find_command(struct route_plan *plan, const struct route_means *means, const struct recipient *r, struct arena *arena)
{
    return local_find_command(plan, means->directory, r, arena);
}

void route_find_chosen(struct route_plan *plan, const struct route_means *means, const struct envelope *e, struct str domain, int64_t chosen,
                       struct arena *arena)
{
    const struct place place = place_of(e, domain, arena);
    const struct directory *d = means->directory;
    struct route route;

    if (chosen == 0) {
        route_find(plan, means, e, domain, arena);
        return;
    }
    *plan = (struct route_plan){.status = status_ok()};
    switch (d->route(d->self, chosen, arena, &route)) {
    case ANSWER_YES:
        take_routes(plan, &route, 1, &place);
        break;
    case ANSWER_NO:
        plan->status = status_make(451, "4.4.4", "the route %lld that was chosen is gone: tmail queue reroute ID --to ROUTE, or --to none",
                                   (long long)chosen);
        break;
    case ANSWER_FAILED:
        not_answered(plan, "routes");
        break;
    }
}

void route_take_turns(struct route_plan *plan, uint64_t turn, struct arena *arena)
{
    struct hop *ordered = arena_new(arena, (plan->count + 1) * sizeof *ordered);

    for (size_t start = 0, end; start < plan->count; start = end) {
        for (end = start + 1; end < plan->count && plan->hops[end].priority == plan->hops[start].priority;)
            end++;
        for (size_t i = start; i < end; i++)
            ordered[i] = plan->hops[start + (i - start + (size_t)(turn % (end - start))) % (end - start)];
    }
    plan->hops = ordered;
}

#include "route/route.h"

#include <stdio.h>
#include <string.h>

static struct str format_key(const char *host, int port, const char *local, struct arena *arena)
{
    size_t size = strlen(host) + strlen(local) + 16;
    char *text = arena_new(arena, size);

    return (struct str){text, (size_t)snprintf(text, size, "%s:%d,%s", host, port, local)};
}

struct str route_hop_key(const struct hop *hop, struct arena *arena)
{
    return format_key(hop->host, hop->port, hop->local_text, arena);
}

/* What this version cannot carry out is not done by half: the mail waits and says why. */
static struct status check_route(const struct route *r)
{
    if (strcmp(r->remote_host, "mx") == 0)
        return status_make(451, "4.4.4", "no MX lookup yet (route %lld)", (long long)r->id);
    if (r->login != NULL)
        return status_make(451, "4.7.0", "route %lld needs a login, which this version cannot give", (long long)r->id);
    return status_ok();
}

static struct status take_route(struct hop *hop, const struct route *r, struct arena *arena)
{
    char error[LOCAL_IPS_ERROR_SIZE];
    struct status status = check_route(r);

    *hop = (struct hop){.route = r->id,
                        .host = r->remote_host,
                        .port = r->remote_port,
                        .priority = r->priority,
                        .local_text = r->local_ips != NULL ? r->local_ips : ""};
    if (status_is_ok(&status) && hop->local_text[0] != '\0' && !local_ips_parse(&hop->local, str_of(hop->local_text), arena, error, sizeof error))
        status = status_make(451, "4.3.5", "route %lld: %s", (long long)r->id, error);
    return status;
}

static void join_set(struct route_plan *plan, struct arena *arena)
{
    struct buf set = {0};

    for (size_t i = 0; i < plan->count; i++) {
        buf_add_number(&set, plan->hops[i].route);
        buf_add_byte(&set, ' ');
    }
    plan->set = arena_str(arena, buf_str(&set));
    buf_done(&set);
}

static void take_routes(struct route_plan *plan, const struct route *routes, size_t count, struct arena *arena)
{
    plan->hops = arena_new(arena, count * sizeof *plan->hops);
    for (size_t i = 0; i < count; i++) {
        struct status status = take_route(&plan->hops[plan->count], &routes[i], arena);

        if (status_is_ok(&status))
            plan->count++;
        else
            plan->status = status;
    }
    if (plan->count > 0)
        plan->status = status_ok();
    join_set(plan, arena);
}

static void no_route(struct route_plan *plan, const struct directory *d, struct str domain)
{
    struct rcpthost host;

    if (d->rcpthost(d->self, domain, &host) == ANSWER_YES && host.is_local)
        plan->status = status_make(451, "4.3.5", "no local delivery yet");
    else
        plan->status = status_make(451, "4.4.4", "no MX lookup yet");
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

void route_find(struct route_plan *plan, const struct directory *d, const struct envelope *e, struct str domain, struct arena *arena)
{
    struct route_question question = {.user = e->user, .sender = normal_sender(e, arena), .domain = domain};
    struct route *routes;
    size_t count;

    *plan = (struct route_plan){.status = status_ok()};
    switch (d->routes(d->self, &question, arena, &routes, &count)) {
    case ANSWER_YES:
        take_routes(plan, routes, count, arena);
        break;
    case ANSWER_NO:
        no_route(plan, d, domain);
        break;
    case ANSWER_FAILED:
        plan->status = status_make(451, "4.3.0", "Cannot look up the routes now");
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

#include "route/local.h"

#include "smtp/path.h"

void local_set_endpoint(struct hop *hop, const struct endpoint *e)
{
    hop->kind = HOP_LMTP;
    hop->path = e->path;
    hop->host = e->path != NULL ? e->path : e->host;
    hop->port = e->port;
}

static void name(const char **to, struct arena *arena, const char *kind, const struct hop *hop)
{
    struct buf text = {0};

    buf_print(&text, "%s %s %d", kind, hop->host, hop->port);
    *to = arena_text(arena, buf_str(&text));
    buf_done(&text);
}

/* As the configuration has them, each a fallback of those before it. */
static void take_lmtp(struct route_plan *plan, const struct conf *conf, struct arena *arena)
{
    char error[LOCAL_IPS_ERROR_SIZE];
    struct endpoints endpoints;

    endpoints_parse(&endpoints, str_of(conf->lmtp_address), arena);
    plan->hops = arena_new(arena, endpoints.count * sizeof *plan->hops);
    for (; plan->count < endpoints.count; plan->count++) {
        struct hop *hop = &plan->hops[plan->count];

        *hop = (struct hop){.priority = (int)plan->count, .local_text = "0.0.0.0", .has_tls_rule = true};
        local_ips_parse(&hop->local, str_of(hop->local_text), arena, error, sizeof error); /* TMAIL_DELIVERD_LOCAL_IPS are for the outside */
        tls_rule_parse(&hop->tls_rule, str_of(conf->lmtp_tls));
        local_set_endpoint(hop, &endpoints.items[plan->count]);
        name(&hop->key, arena, "local", hop);
    }
}

/* One hop that serves one recipient a transaction. */
static void take_program(struct route_plan *plan, enum hop_kind kind, const char *host, const char *command, struct arena *arena)
{
    plan->hops = arena_new(arena, sizeof *plan->hops);
    plan->hops[0] = (struct hop){.kind = kind, .host = host, .command = command, .local_text = ""};
    name(&plan->hops[0].key, arena, kind == HOP_LDA ? "lda" : "command", &plan->hops[0]);
    plan->count = 1;
    plan->one_by_one = true;
}

void local_find(struct route_plan *plan, const struct conf *conf, struct arena *arena)
{
    if (!conf->dovecot_support_enabled) {
        plan->status = status_make(451, "4.3.5", "there is no local delivery: TMAIL_DOVECOT_SUPPORT_ENABLED is false, and the domain has no route");
        return;
    }
    if (conf->local_delivery == LOCAL_DELIVERY_LDA)
        take_program(plan, HOP_LDA, "dovecot-lda", NULL, arena);
    else
        take_lmtp(plan, conf, arena);
    plan->set = STR("local");
}

bool local_find_command(struct route_plan *plan, const struct directory *d, const struct recipient *r, struct arena *arena)
{
    struct local found = {0};
    enum answer answer = ANSWER_NO;
    struct path path;

    if (path_parse_address(&path, r->address, arena) == PATH_OK)
        answer = d->local(d->self, path.local, r->domain, '\0', arena, &found);
    if (answer == ANSWER_NO || (answer == ANSWER_YES && found.command.length == 0))
        return false;
    *plan = (struct route_plan){.is_local = true, .status = status_ok()};
    if (answer == ANSWER_FAILED)
        plan->status = status_make(451, "4.3.0", "Cannot look up the recipient now");
    else
        take_program(plan, HOP_COMMAND, arena_text(arena, found.alias), arena_text(arena, found.command), arena);
    plan->set = arena_str(arena, r->address);
    return true;
}

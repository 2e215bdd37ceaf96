#include "admin/explain_local.h"

#include "lmtp/probe.h"
#include "policy/recipients.h"

/* One question, and where its answer lives. */
struct question {
    const struct directory *d;
    const struct conf *conf;
    struct arena *arena;
};

/* NO, too, for what cannot be asked: then the expansion has said so. */
static bool is_of_local_domain(const struct question *q, const struct path *path)
{
    struct rcpthost host;

    return q->d->rcpthost(q->d->self, path->host, &host) == ANSWER_YES && host.is_local;
}

static const char *find_kind(const struct question *q, const struct target *t)
{
    struct resident found;

    if (t->is_command)
        return "command";
    if (t->is_outside)
        return "elsewhere";
    if (!is_of_local_domain(q, &t->path))
        return "relayed";
    return policy_resident(q->d, q->conf, &t->path, q->arena, &found) == ANSWER_YES ? "mailbox" : "unknown";
}

static void take_targets(struct explain_local *l, const struct question *q, const struct expansion *x)
{
    const char **kinds = arena_new(q->arena, (x->count + 1) * sizeof *kinds);
    size_t i = 0;

    for (const struct target *t = x->targets; t != NULL; t = t->next) {
        kinds[i++] = find_kind(q, t);
        if (l->shown == NULL && !t->is_command)
            l->shown = t;
    }
    l->targets = x->targets;
    l->kinds = kinds;
}

static const struct resident *find_resident(const struct question *q, const struct path *path)
{
    struct resident *resident = arena_new(q->arena, sizeof *resident);

    if (!is_of_local_domain(q, path) || policy_resident(q->d, q->conf, path, q->arena, resident) != ANSWER_YES)
        return NULL;
    return resident;
}

void explain_local_find(struct explain_local *l, const struct directory *d, const struct conf *conf, const struct path *path,
                        struct arena *arena)
{
    const struct policy_client nobody = {.address = &(struct address){0}};
    const struct question q = {d, conf, arena};
    struct policy_verdict verdict;
    struct expansion x;

    *l = (struct explain_local){.address = path->address};
    l->is_local = policy_is_host_role(conf, path) || is_of_local_domain(&q, path);
    if (!l->is_local)
        return;
    verdict = policy_recipient(d, &nobody, conf, path);
    l->status = verdict.status;
    l->is_asked = verdict.unknown_recipient && probe_is_for(conf, path->host);
    if (l->is_asked) {
        l->status = status_ok();
        return;
    }
    if (!status_is_ok(&l->status))
        return;
    l->resident = find_resident(&q, path);
    policy_expand(&x, d, conf, path, arena);
    l->status = x.status;
    if (status_is_ok(&x.status))
        take_targets(l, &q, &x);
}

static const char *kind_of(const struct explain_local *l)
{
    const struct resident *r = l->resident;

    if (l->is_asked)
        return "asked";
    if (r == NULL)
        return status_is_ok(&l->status) ? "postmaster" : "unknown";
    if (r->by_key)
        return "postmaster";
    if (r->local.alias.length > 0)
        return r->local.is_list ? "mini-list" : "alias";
    return r->local.is_catchall ? "catch-all" : "mailbox";
}

static void put_optional(struct json *j, const char *name, struct str value)
{
    if (value.length > 0)
        json_put_str(j, name, value);
    else
        json_put_null(j, name);
}

static struct json *make_targets(const struct explain_local *l)
{
    struct json *list = json_new_list();
    size_t i = 0;

    for (const struct target *t = l->targets; t != NULL; t = t->next) {
        struct json *j = json_new_object();

        json_put_str(j, "address", t->path.address);
        json_put_str(j, "kind", str_of(l->kinds[i++]));
        put_optional(j, "list", t->list);
        json_add(list, &j);
    }
    return list;
}

void explain_local_json(const struct explain_local *l, struct json *j)
{
    const struct local nothing = {0}, *found = l->resident != NULL ? &l->resident->local : &nothing;
    struct json *local, *targets;

    if (!l->is_local) {
        json_put_null(j, "local");
        return;
    }
    local = json_new_object();
    targets = make_targets(l);
    json_put_str(local, "kind", str_of(kind_of(l)));
    put_optional(local, "mailbox", found->mailbox);
    put_optional(local, "detail", found->detail);
    put_optional(local, "alias", found->alias);
    put_optional(local, "command", found->command);
    json_put(local, "recipients", &targets);
    json_put(j, "local", &local);
}

static void print_what(const struct explain_local *l, struct listing *to)
{
    const struct local *found = l->resident != NULL ? &l->resident->local : NULL;

    if (l->is_asked)
        listing_line(to, "Nobody here has it: Dovecot is asked at RCPT (TMAIL_LMTP_PROBE_DOMAINS), and mail taken if that knows it");
    else if (found == NULL)
        listing_line(to, status_is_ok(&l->status) ? "It is the postmaster of this host" : "Nobody has that address");
    else if (l->resident->by_key)
        listing_line(to, "Nobody has that address: TMAIL_POSTMASTER gets the mail");
    else if (found->alias.length > 0)
        listing_line(to, "It is the %s %.*s", found->is_list ? "mini-list" : "alias", STR_ARG(found->alias));
    else if (found->is_catchall)
        listing_line(to, "Nobody has that address: the catch-all %.*s gets the mail", STR_ARG(found->mailbox));
    else
        listing_line(to, "It is the mailbox %.*s", STR_ARG(found->mailbox));
    if (found != NULL && found->detail.length > 0)
        listing_line(to, "  with the detail %.*s", STR_ARG(found->detail));
    if (found != NULL && found->command.length > 0)
        listing_line(to, "  which runs: %.*s", STR_ARG(found->command));
}

void explain_local_text(const struct explain_local *l, struct listing *to)
{
    size_t i = 0;

    if (!l->is_local)
        return;
    print_what(l, to);
    for (const struct target *t = l->targets; t != NULL; t = t->next, i++)
        listing_line(to, "  -> %.*s (%s%s%.*s)", STR_ARG(t->path.address), l->kinds[i], t->list.length > 0 ? ", member of " : "",
                     STR_ARG(t->list));
    if (l->shown != NULL && !str_equal(l->shown->path.address, l->address))
        listing_line(to, "The way of %.*s:", STR_ARG(l->shown->path.address));
}

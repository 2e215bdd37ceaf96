#include "message/envelope.h"

void envelope_init(struct envelope *e, struct arena *arena)
{
    *e = (struct envelope){.arena = arena};
}

static struct str local_of(struct str address)
{
    while (address.length > 0 && address.data[address.length - 1] != '@')
        address.length--;
    return address;
}

static struct recipient *find(const struct envelope *e, struct str address, struct str host)
{
    struct recipient *r = e->recipients;

    while (r != NULL && !(str_equal(r->domain, host) && str_equal(local_of(r->address), local_of(address))))
        r = r->next;
    return r;
}

/* Who is named twice is told of all that was asked for; nothing asked for means failures (RFC 3461 section 4.1), NEVER is the weakest. */
static unsigned both(unsigned a, unsigned b)
{
    if (a == b || b == NOTIFY_NEVER)
        return a;
    if (a == NOTIFY_NEVER)
        return b;
    return (a == 0 ? NOTIFY_FAILURE : a) | (b == 0 ? NOTIFY_FAILURE : b);
}

bool envelope_add(struct envelope *e, const struct path *path, const struct rcpt_params *params)
{
    struct recipient *r = find(e, path->address, path->host);

    if (r != NULL) {
        r->notify = both(r->notify, params->notify);
        return false;
    }
    r = arena_new(e->arena, sizeof *r);
    r->number = ++e->recipient_count;
    r->address = arena_str(e->arena, path->address);
    r->domain = arena_str(e->arena, path->host);
    r->notify = params->notify;
    r->orcpt = arena_str(e->arena, params->orcpt);
    if (e->last != NULL)
        e->last->next = r;
    else
        e->recipients = r;
    e->last = r;
    return true;
}

void envelope_refuse(struct envelope *e, struct str address, const struct status *status)
{
    struct refusal *r;

    if (e->refusal_count >= ENVELOPE_REFUSALS_MAX)
        return;
    r = arena_new(e->arena, sizeof *r);
    r->address = arena_str(e->arena, address);
    r->status = *status;
    r->next = e->refusals;
    e->refusals = r;
    e->refusal_count++;
}

int64_t envelope_flow(const struct envelope *e)
{
    return str_hash(e->user.length > 0 ? e->user : e->sender.length > 0 ? e->sender : e->client);
}

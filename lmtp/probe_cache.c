#include "lmtp/probe_cache.h"

#include "base/clock.h"
#include "base/memory.h"

#include <search.h>
#include <string.h>

struct probe_entry {
    struct probe_entry *before, *behind;
    struct str address; /* owned */
    struct status status;
    int64_t until;
};

static int compare(const void *a, const void *b)
{
    const struct str left = ((const struct probe_entry *)a)->address, right = ((const struct probe_entry *)b)->address;

    if (left.length != right.length)
        return left.length < right.length ? -1 : 1;
    return left.length > 0 ? memcmp(left.data, right.data, left.length) : 0;
}

static struct probe_entry *find(const struct probe_cache *c, struct str address)
{
    const struct probe_entry wanted = {.address = address};
    struct probe_entry *const *found = tfind(&wanted, &c->tree, compare);

    return found != NULL ? *found : NULL;
}

static void entry_free(struct probe_entry *e)
{
    memory_free(&e->address.data);
    memory_free(&e);
}

static void append(struct probe_cache *c, struct probe_entry *e)
{
    e->before = c->last;
    *(c->last != NULL ? &c->last->behind : &c->first) = e;
    c->last = e;
    c->count++;
}

static void take_out(struct probe_cache *c, struct probe_entry *e)
{
    *(e->before != NULL ? &e->before->behind : &c->first) = e->behind;
    *(e->behind != NULL ? &e->behind->before : &c->last) = e->before;
    c->count--;
    tdelete(e, &c->tree, compare);
    entry_free(e);
}

bool probe_cache_find(struct probe_cache *c, struct str address, struct status *status)
{
    struct probe_entry *e = find(c, address);

    if (e == NULL)
        return false;
    if (clock_now() >= e->until) {
        take_out(c, e);
        return false;
    }
    *status = e->status;
    return true;
}

static struct str copy(struct str s)
{
    return (struct str){s.length > 0 ? memory_copy(s.data, s.length) : NULL, s.length};
}

void probe_cache_keep(struct probe_cache *c, struct str address, const struct status *status, int64_t ttl_ms)
{
    struct probe_entry *e = find(c, address);

    if (e != NULL)
        take_out(c, e);
    if (c->count >= PROBE_CACHE_MAX)
        take_out(c, c->first);
    e = memory_new(sizeof *e);
    *e = (struct probe_entry){.address = copy(address), .status = *status, .until = clock_now() + ttl_ms};
    if (tsearch(e, &c->tree, compare) == NULL) /* there is no memory for it: it is asked again */
        entry_free(e);
    else
        append(c, e);
}

void probe_cache_done(struct probe_cache *c)
{
    while (c->first != NULL)
        take_out(c, c->first);
}

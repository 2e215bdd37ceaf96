#include "route/sts_memory.h"

#include "base/memory.h"

#include <stdio.h>
#include <string.h>

static void entry_free(struct sts_entry *e)
{
    arena_done(&e->arena);
    memory_free(&e->domain);
    memory_free(&e);
}

void sts_memory_done(struct sts_memory *m)
{
    for (size_t i = 0; i < m->count; i++)
        entry_free(m->entries[i]);
    m->count = m->bytes = 0;
}

struct sts_entry *sts_memory_find(const struct sts_memory *m, const char *domain)
{
    uint32_t hash = str_hash(str_of(domain));

    for (size_t i = 0; i < m->count; i++)
        if (m->entries[i]->hash == hash && strcmp(m->entries[i]->domain, domain) == 0)
            return m->entries[i];
    return NULL;
}

static bool drop_oldest(struct sts_memory *m)
{
    size_t oldest = m->count;

    for (size_t i = 0; i < m->count; i++)
        if (m->entries[i]->users == 0 && (oldest == m->count || m->entries[i]->used_at < m->entries[oldest]->used_at))
            oldest = i;
    if (oldest == m->count)
        return false;
    m->bytes -= m->entries[oldest]->kept.text.length;
    entry_free(m->entries[oldest]);
    m->entries[oldest] = m->entries[--m->count];
    return true;
}

struct sts_entry *sts_memory_make(struct sts_memory *m, const char *domain, int64_t now)
{
    struct sts_entry *e = sts_memory_find(m, domain);

    if (e == NULL && m->count == STS_ENTRIES && !drop_oldest(m))
        return NULL;
    if (e == NULL) {
        e = memory_new(sizeof *e);
        arena_init(&e->arena);
        e->domain = memory_string(domain);
        e->hash = str_hash(str_of(domain));
        m->entries[m->count++] = e;
    }
    e->used_at = now;
    return e;
}

void sts_memory_keep(struct sts_memory *m, struct sts_entry *e, const struct sts_held *h, int64_t now)
{
    m->bytes = m->bytes - e->kept.text.length + h->text.length;
    arena_done(&e->arena);
    e->kept = *h;
    e->kept.text = arena_str(&e->arena, h->text);
    e->kept_until = now + STS_REMEMBERED_MS;
    e->quiet_until = now;
    while (m->bytes > STS_BYTES_MOST && drop_oldest(m))
        continue;
}

void sts_memory_fail(struct sts_entry *e, enum sts_trouble trouble, const char *reason, int64_t now)
{
    e->quiet_until = now + STS_REMEMBERED_MS;
    e->trouble = trouble;
    snprintf(e->reason, sizeof e->reason, "%s", reason);
}

bool sts_memory_take(const struct sts_entry *e, int64_t now, int64_t unix_now, struct arena *arena, struct sts_held *h)
{
    if (!e->kept.counts || now >= e->kept_until || unix_now >= e->kept.expires)
        return false;
    *h = e->kept;
    h->text = arena_str(arena, e->kept.text);
    return true;
}

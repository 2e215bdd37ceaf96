#include "net/dns_silence.h"

enum { SILENT_AFTER = 3, LIFE_MS = 5000, MEMORY_MS = 5 * 60 * 1000, QUICK_MS = 1 };

static bool is_old(const struct dns_silence *s, int64_t now)
{
    return now - s->last_timeout > MEMORY_MS;
}

bool dns_silence_is(const struct dns_silence *s, int64_t now)
{
    return s->timeouts >= SILENT_AFTER && !is_old(s, now) && (!s->lived || now - s->last_life >= LIFE_MS);
}

void dns_silence_timeout(struct dns_silence *s, int64_t now)
{
    if (is_old(s, now))
        s->timeouts = 0;
    if (s->timeouts < SILENT_AFTER)
        s->timeouts++;
    s->last_timeout = now;
}

void dns_silence_answer(struct dns_silence *s, int64_t now, int64_t took)
{
    if (took > QUICK_MS)
        *s = (struct dns_silence){.lived = true, .last_life = now};
}

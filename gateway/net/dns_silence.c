#include "net/dns_silence.h"

enum { SILENT_AFTER = 3, MEMORY_MS = 5 * 60 * 1000, PROBE_MS = 1000, QUICK_MS = 1, QUICK_ENOUGH = 16 };

static bool is_old(const struct dns_silence *s, int64_t now)
{
    return now - s->last_timeout > MEMORY_MS;
}

bool dns_silence_is(const struct dns_silence *s, int64_t now)
{
    return s->timeouts >= SILENT_AFTER && !is_old(s, now);
}

bool dns_silence_permits(struct dns_silence *s, int64_t now)
{
    if (!dns_silence_is(s, now))
        return true;
    if (now < s->next_probe)
        return false;
    s->next_probe = now + PROBE_MS;
    return true;
}

void dns_silence_timeout(struct dns_silence *s, int64_t now)
{
    if (is_old(s, now))
        s->timeouts = 0;
    if (s->timeouts < SILENT_AFTER)
        s->timeouts++;
    s->last_timeout = now;
    s->quick = 0;
}

void dns_silence_answer(struct dns_silence *s, int64_t now, int64_t took)
{
    if (dns_silence_is(s, now) && took <= QUICK_MS && ++s->quick < QUICK_ENOUGH)
        s->next_probe = now;
    else
        *s = (struct dns_silence){0};
}

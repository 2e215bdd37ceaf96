#include "deliverd/window.h"

#include "base/clock.h"

enum { ONE = 1000, PROBE_LOOK_MS = 1000 };

static int64_t most_size(const struct window *w)
{
    return w->most * ONE;
}

static int64_t start_size(const struct window *w)
{
    return clock_earlier(WINDOW_START, w->most) * ONE;
}

void window_init(struct window *w, int64_t most, int64_t dead_time, uint32_t seed)
{
    *w = (struct window){.most = most, .dead_time = dead_time, .random = seed};
    w->size = start_size(w);
    w->calm = most_size(w);
}

int64_t window_size(const struct window *w)
{
    return w->size / ONE;
}

bool window_is_new(const struct window *w)
{
    return !w->down && w->in_a_row == 0 && w->size == start_size(w) && w->calm == most_size(w);
}

/* While a probe is out its end is looked for ever more rarely: all that waits for the hop asks. */
enum window_answer window_ask(const struct window *w, int64_t now, int64_t flushed, int64_t *until)
{
    if (!w->down)
        return WINDOW_OPEN;
    if (!w->probing && (now >= w->down_until || flushed > w->down_since))
        return WINDOW_PROBE;
    *until = w->down_until;
    if (w->probing)
        *until = now + (now - w->probed_at > PROBE_LOOK_MS ? now - w->probed_at : PROBE_LOOK_MS);
    return WINDOW_DOWN;
}

void window_begin_probe(struct window *w, int64_t now)
{
    w->probing = true;
    w->probed_at = now;
}

void window_begin(const struct window *w, struct window_ticket *t)
{
    t->era = w->era;
    t->size = window_size(w);
}

static void grow(struct window *w)
{
    w->size += w->size < w->calm ? ONE : (int64_t)ONE * ONE / w->size;
    w->size = clock_earlier(w->size, most_size(w));
}

/* Of jobs that began before the hop went down one may still end well: then it is up, though perhaps not for all. */
static void come_up(struct window *w, bool probed)
{
    w->down = w->probing = false;
    w->failed_probes = 0;
    w->size = probed ? start_size(w) : ONE;
    w->calm = most_size(w);
    w->opened = ++w->era;
}

void window_answered(struct window *w, const struct window_ticket *t)
{
    w->in_a_row = 0;
    if (w->down)
        come_up(w, t->probe);
    else
        grow(w);
}

/* MS and up to a tenth more or less (xorshift, Marsaglia 2003). */
static int64_t vary(struct window *w, int64_t ms)
{
    if (w->random == 0)
        w->random = 1;
    w->random ^= w->random << 13;
    w->random ^= w->random >> 17;
    w->random ^= w->random << 5;
    return ms - ms / 10 + (int64_t)w->random % (ms / 5 + 1);
}

static int64_t down_time(const struct window *w)
{
    int64_t most = w->dead_time > WINDOW_DOWN_MOST_MS ? w->dead_time : WINDOW_DOWN_MOST_MS, ms = w->dead_time;

    for (int i = 0; i < w->failed_probes && ms < most; i++)
        ms *= 2;
    return clock_earlier(ms, most);
}

static void go_down(struct window *w, int64_t now, const struct status *why)
{
    w->down = true;
    w->probing = false;
    w->down_since = now;
    w->down_until = now + vary(w, down_time(w));
    w->in_a_row = 0;
    w->size = ONE;
    w->why = *why;
}

static void halve(struct window *w)
{
    w->size = w->size / 2 > ONE ? w->size / 2 : ONE;
    w->calm = w->size;
    w->era++;
}

void window_failed(struct window *w, const struct window_ticket *t, int64_t now, const struct status *why)
{
    bool first_of_its_time = t->era == w->era;

    if (w->down && t->probe) {
        w->failed_probes++;
        go_down(w, now, why);
    }
    if (w->down || t->era < w->opened)
        return;
    if (w->in_a_row++ == 0)
        w->cohort = 0;
    if (t->size > w->cohort)
        w->cohort = t->size;
    if (w->dead_time > 0 && ((first_of_its_time && window_size(w) == 1) || w->in_a_row >= w->cohort))
        go_down(w, now, why);
    else if (first_of_its_time)
        halve(w);
}

void window_learned_nothing(struct window *w, const struct window_ticket *t)
{
    if (w->down && t->probe)
        w->probing = false;
}

#include "deliverd/round.h"

#include "base/clock.h"

#include <string.h>

static const struct round_place top = {.flow = -1};

void round_init(struct round *r, struct claims *claims, bool by_flow)
{
    *r = (struct round){.claims = claims, .by_flow = by_flow};
    round_reset(r);
}

void round_reset(struct round *r)
{
    r->at = top;
    r->complete = true;
}

static bool is_top(const struct round *r, const struct round_place *p)
{
    return r->by_flow ? p->flow < 0 : p->domain[0] == '\0';
}

static bool is_behind(const struct round *r, const struct round_place *a, const struct round_place *b)
{
    return r->by_flow ? a->flow > b->flow : strcmp(a->domain, b->domain) > 0;
}

/* The first place behind AFTER with anything scheduled. */
static int find(struct round *r, const struct round_place *after, struct round_place *found, int64_t *due)
{
    *found = top;
    if (r->by_flow)
        return claims_next_flow(r->claims, after->flow, &found->flow, due);
    return claims_next_domain(r->claims, str_of(after->domain), found->domain, due);
}

static void begin(struct round *r)
{
    r->began = r->at;
    r->wrapped = r->complete = false;
    r->next_due = CLOCK_NEVER;
}

/* One step: 1 with the place in R->at, 0 at the end of the round, -1. */
static int step(struct round *r, int64_t *due)
{
    struct round_place found;
    int result = find(r, &r->at, &found, due);

    if (result == 0 && !r->wrapped && !is_top(r, &r->began)) {
        r->wrapped = true;
        result = find(r, &top, &found, due);
    }
    if (result > 0 && r->wrapped && is_behind(r, &found, &r->began))
        result = 0;
    if (result > 0)
        r->at = found;
    r->complete = result == 0;
    return result;
}

int round_next(struct round *r, int64_t now, int most)
{
    int64_t due;
    int result;

    if (r->complete)
        begin(r);
    while ((result = step(r, &due)) > 0 && due > now) {
        r->next_due = clock_earlier(r->next_due, due);
        if (most-- <= 0)
            return 0;
    }
    return result;
}

int round_due(struct round *r, int64_t now, struct due *to, int most)
{
    if (r->by_flow)
        return claims_due_of_flow(r->claims, r->at.flow, now, to, most);
    return claims_due(r->claims, r->at.domain, now, to, most);
}

#include "deliverd/round.h"

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

static int look(struct round *r, const struct round_place *after, struct round_place *found, int64_t *due)
{
    *found = top;
    *due = 0;
    if (r->by_flow)
        return claims_next_flow(r->claims, after->flow, &found->flow);
    return claims_next_domain(r->claims, str_of(after->domain), found->domain, due);
}

/* The first place behind AFTER with anything scheduled.  SQLite's order puts what is not of a column's kind behind all: a place that is not
 * behind is damage, and not found again once that is held. */
static int find(struct round *r, const struct round_place *after, struct round_place *found, int64_t *due)
{
    int result = look(r, after, found, due);

    if (result <= 0 || is_behind(r, found, after))
        return result;
    result = claims_hold_damaged(r->claims) ? look(r, after, found, due) : -1;
    return result <= 0 || is_behind(r, found, after) ? result : -1;
}

static void begin(struct round *r)
{
    r->began = r->at;
    r->wrapped = r->complete = false;
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
    while ((result = step(r, &due)) > 0 && due > now)
        if (most-- <= 0)
            return 0;
    return result;
}

enum { FLOW_DOMAINS = 8, FLOW_PASSED = 64 };

/* Where a visit to a sender goes on. */
static struct round_place *find_visited(struct round *r)
{
    struct round_place *v = &r->visited[r->at.flow % ROUND_FLOWS];

    if (v->flow != r->at.flow) {
        *v = top;
        v->flow = r->at.flow;
    }
    return v;
}

/* Something from each of the sender's next destinations: one that has no place is not in the way of the others. */
static int due_of_flow(struct round *r, int64_t now, struct due *to, int most)
{
    struct round_place *v = find_visited(r);
    const struct round_place start = *v;
    int count = 0, found = 1;
    bool wrapped = start.domain[0] == '\0';

    for (int passed = 0, taken = 0; passed < FLOW_PASSED && taken < FLOW_DOMAINS && count < most; passed++) {
        int64_t due;
        int most_here = most / FLOW_DOMAINS > 0 ? most / FLOW_DOMAINS : 1, here;

        found = claims_next_of_flow(r->claims, r->at.flow, str_of(v->domain), v->domain, &due);
        if (found < 0 || (found == 0 && wrapped) || (found > 0 && wrapped && start.domain[0] != '\0' && strcmp(v->domain, start.domain) > 0))
            break;
        if (found == 0) {
            wrapped = true;
            v->domain[0] = '\0';
        } else if (due <= now) {
            here = claims_due(r->claims, v->domain, r->at.flow, now, to + count, most - count < most_here ? most - count : most_here);
            if (here < 0)
                return -1;
            count += here;
            taken++;
        }
    }
    if (found == 0)
        v->domain[0] = '\0';
    return found < 0 ? -1 : count;
}

int round_due(struct round *r, int64_t now, struct due *to, int most)
{
    return r->by_flow ? due_of_flow(r, now, to, most) : claims_due(r->claims, r->at.domain, -1, now, to, most);
}

/*
 * route - where a message goes next.
 *
 * route_find asks the directory which rule matches (INTERFACE: "Routes") and returns the candidates in the order in which one attempt tries them: lower
 * priority first, equal ones taking turns.  Recipients with the same `set` share their next hop, so one transaction carries them.  The plan lives
 * in the caller's arena.  Blocks for the directory.
 */
#ifndef ROUTE_ROUTE_H
#define ROUTE_ROUTE_H

#include "base/status.h"
#include "conf/local_ips.h"
#include "directory/directory.h"
#include "message/envelope.h"

struct hop {
    int64_t route; /* its id */
    const char *host;
    int port;
    int priority;
    const char *local_text; /* as written; "": the configuration's */
    struct local_ips local; /* count 0: the configuration's */
};

struct route_plan {
    struct str set;   /* names the candidates, in no order of turns */
    struct hop *hops; /* at least one, unless status says why there is none */
    size_t count;
    struct status status; /* 2xx, or 4xx: wait */
};

void route_find(struct route_plan *plan, const struct directory *d, const struct envelope *e, struct str domain, struct arena *arena);
/* Puts equal priorities in the order of this TURN; a route that stands twice comes first twice as often. */
void route_take_turns(struct route_plan *plan, uint64_t turn, struct arena *arena);
/* "host:port" and the source addresses: what connections are shared by. */
struct str route_hop_key(const struct hop *hop, struct arena *arena);

#endif

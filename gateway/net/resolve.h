/*
 * resolve - the addresses of a host.
 *
 * An address is its own answer, as secure as whoever wrote it down; a name is asked of the DNS, A and AAAA at the same time, and of
 * /etc/hosts where the host's own resolvers are used.  Addresses of the two families take turns, the preferred one first, so that a limit
 * on how many are tried never leaves a family out; within a family they are in random order.  0.0.0.0 and :: do not count.  Blocks for the
 * DNS up to the deadline; a family that does not answer takes at most half of that time.
 */
#ifndef NET_RESOLVE_H
#define NET_RESOLVE_H

#include "base/status.h"
#include "net/address.h"
#include "net/dns.h"

enum { RESOLVE_MOST = 32 };

enum resolve_families { RESOLVE_IPV6_FIRST, RESOLVE_IPV4_FIRST, RESOLVE_IPV6_ONLY, RESOLVE_IPV4_ONLY };

struct resolved {
    struct address addresses[RESOLVE_MOST];
    size_t count;         /* 0: `status` says why */
    struct status status; /* 2xx; 4xx: the DNS failed, or the one family that is wanted has none; 5xx: no such host, or no address */
    bool secure;          /* every answer was, aliases included */
    const char *canonical; /* the name at the end of the aliases; HOST itself when there are none */
};

void resolve(struct dns *dns, const char *host, int port, enum resolve_families families, int64_t deadline, struct arena *arena,
             struct resolved *to);

#endif

/*
 * sts_fetch - one MTA-STS policy over HTTPS (RFC 8461 section 3.3), for route/sts.
 *
 * The web server is hostile: what it says is bounded in time and size, and read by route/sts_policy.  Blocks up to the deadline.
 */
#ifndef ROUTE_STS_FETCH_H
#define ROUTE_STS_FETCH_H

#include "route/sts.h"

struct sts_fetched {
    enum sts_trouble trouble; /* STS_FINE: there is a policy */
    bool stopping;            /* STS_FETCH, because the process was told to stop: nothing is known */
    char reason[STS_REASON_SIZE];
    struct sts_policy policy; /* in ARENA */
};

void sts_fetch(const char *domain, struct dns *dns, const char *ca_file, int64_t deadline, struct arena *arena, struct sts_fetched *f);

#endif

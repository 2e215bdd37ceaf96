/*
 * probe_cache - what was last said of addresses, for as long as it is good.
 *
 * A status is kept for the time that it is given; of more than PROBE_CACHE_MAX addresses those go whose status came first.  Addresses are
 * compared to the letter.  The times are those of clock_now.  The caller holds its lock.
 */
#ifndef LMTP_PROBE_CACHE_H
#define LMTP_PROBE_CACHE_H

#include "base/status.h"

enum { PROBE_CACHE_MAX = 10000 };

struct probe_entry;

/* A zeroed struct is an empty one. */
struct probe_cache {
    void *tree; /* tsearch(3): no address that somebody makes up is slower than others */
    struct probe_entry *first, *last; /* in the order in which they came */
    size_t count;
};

/* False when nothing is known, or no longer. */
bool probe_cache_find(struct probe_cache *c, struct str address, struct status *status);
/* In place of what was known of ADDRESS. */
void probe_cache_keep(struct probe_cache *c, struct str address, const struct status *status, int64_t ttl_ms);
void probe_cache_done(struct probe_cache *c);

#endif

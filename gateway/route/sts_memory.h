/*
 * sts_memory - what fetches of MTA-STS policies brought a while ago, for route/sts.
 *
 * An entry is a domain whose policy was fetched: that policy, or why there is none, each for STS_REMEMBERED_MS.  Entries and the bytes of
 * their policies are bounded: what was not used for the longest goes first, and what is in use stays.  The caller has the lock, and the
 * clocks: NOW is clock_now, what a struct sts_held says is unix time.
 */
#ifndef ROUTE_STS_MEMORY_H
#define ROUTE_STS_MEMORY_H

#include "route/sts.h"

enum { STS_ENTRIES = 1024, STS_BYTES_MOST = 4 << 20, STS_REMEMBERED_MS = 300000 };

/* A policy in hand. */
struct sts_held {
    bool counts;
    char id[STS_ID_SIZE];
    struct str text;
    enum sts_mode mode;
    int64_t fetched, expires;
};

struct sts_entry {
    char *domain;
    uint32_t hash;
    int users;          /* calls and threads that have it in hand */
    bool fetching;      /* one of them */
    int64_t used_at;
    struct arena arena; /* that of `kept` */
    struct sts_held kept;
    int64_t kept_until;
    int64_t quiet_until; /* a fetch has failed: trouble, reason */
    int64_t told_until;  /* it was logged */
    int64_t gone_until;  /* that there is no record was logged */
    enum sts_trouble trouble;
    char reason[STS_REASON_SIZE];
};

struct sts_memory {
    struct sts_entry *entries[STS_ENTRIES];
    size_t count;
    size_t bytes; /* of the policies that are kept */
};

void sts_memory_done(struct sts_memory *m);
struct sts_entry *sts_memory_find(const struct sts_memory *m, const char *domain);
/* NULL when all entries are in use. */
struct sts_entry *sts_memory_make(struct sts_memory *m, const char *domain, int64_t now);

/* A fetch brought this, or failed; E is in use. */
void sts_memory_keep(struct sts_memory *m, struct sts_entry *e, const struct sts_held *h, int64_t now);
void sts_memory_fail(struct sts_entry *e, enum sts_trouble trouble, const char *reason, int64_t now);
/* What is kept, with its text in ARENA; false when that is over. */
bool sts_memory_take(const struct sts_entry *e, int64_t now, int64_t unix_now, struct arena *arena, struct sts_held *h);

#endif

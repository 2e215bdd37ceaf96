/*
 * sts_policy - MTA-STS (RFC 8461) as text: the TXT record, the policy, and which hosts it names.
 *
 * Pure functions on hostile input.  A policy lives in the caller's arena.
 */
#ifndef ROUTE_STS_POLICY_H
#define ROUTE_STS_POLICY_H

#include "base/arena.h"
#include "base/str.h"

enum { STS_ID_SIZE = 33, STS_MX_MOST = 64, STS_AGE_MAX = 31557600 };

enum sts_mode { STS_NONE, STS_TESTING, STS_ENFORCE };

struct sts_policy {
    enum sts_mode mode;
    int64_t max_age; /* seconds */
    const char **mx; /* patterns in lower case: a name, or *. and a name */
    size_t mx_count;
    struct str text; /* as it was published */
};

/* The id of RECORD (section 3.1); false when it is no STSv1 record, or a broken one. */
bool sts_read_record(struct str record, char id[STS_ID_SIZE]);
/* Section 3.2: what is not known is ignored, of what stands twice the first counts, but each mx counts.  False with the reason in PROBLEM,
 * a literal. */
bool sts_read_policy(struct sts_policy *p, struct str text, struct arena *arena, const char **problem);
/* Section 4.1: HOST, in normal form, is one of those that the policy names. */
bool sts_names(const struct sts_policy *p, const char *host);
const char *sts_mode_name(enum sts_mode mode);

#endif

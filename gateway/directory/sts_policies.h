/*
 * sts_policies - what other domains publish about TLS (RFC 8461), as it was fetched: rows of sts_policies.
 *
 * A policy is kept as text, with the id of the record that announced it.  Domains are in normal form.  Times are unix times in seconds.
 */
#ifndef DIRECTORY_STS_POLICIES_H
#define DIRECTORY_STS_POLICIES_H

#include "base/arena.h"
#include "directory/tables.h"

struct sts_row {
    const char *id;
    struct str policy;
    int64_t fetched, expires;
};

/* That of DOMAIN, in ARENA; one that has expired by NOW is none. */
enum answer sts_policies_find(struct tables *t, struct str domain, int64_t now, struct arena *arena, struct sts_row *row);
/* Takes the place of what there was. */
struct status sts_policies_store(struct tables *t, struct str domain, const struct sts_row *row);
/* Deletes that of DOMAIN if it has expired by NOW; ANSWER_NO: there is none. */
enum answer sts_policies_forget(struct tables *t, struct str domain, int64_t now);
/* Deletes what has expired by NOW. */
struct status sts_policies_tidy(struct tables *t, int64_t now);

#endif

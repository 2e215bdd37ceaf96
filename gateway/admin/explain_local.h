/*
 * explain_local - what `tmail explain` says of a recipient of ours: what it comes to, and who gets the mail.
 *
 * All lives in the caller's arena.  Finding blocks for the directory, printing for nothing but standard output.
 */
#ifndef ADMIN_EXPLAIN_LOCAL_H
#define ADMIN_EXPLAIN_LOCAL_H

#include "admin/listing.h"
#include "base/json.h"
#include "policy/expand.h"
#include "policy/residents.h"

struct explain_local {
    bool is_local; /* else there is nothing to say, and nothing below is set */
    struct str address;
    bool is_asked;        /* nobody has it here, and at RCPT Dovecot is asked (lmtp/probe.h); nothing below is set but a 2xx */
    struct status status; /* 2xx: mail is taken and goes to the targets */
    const struct resident *resident; /* NULL: the postmaster of this host, which is no local domain */
    const struct target *targets;
    const char *const *kinds; /* of each target, in words */
    const struct target *shown; /* whose way is the most worth showing; NULL: there is none, or only commands run */
};

/* PATH has a domain. */
void explain_local_find(struct explain_local *l, const struct directory *d, const struct conf *conf, const struct path *path,
                        struct arena *arena);
/* "local": an object, or null. */
void explain_local_json(const struct explain_local *l, struct json *j);
void explain_local_text(const struct explain_local *l, struct listing *to);

#endif

/*
 * residents - what mail for an address of a local domain comes to, with the names that every domain has.
 *
 * That is what the directory says (directory->local), and beyond it, where nobody has the address but perhaps the catch-all: postmaster and
 * abuse are TMAIL_POSTMASTER's where that is set (RFC 5321 section 4.5.1, RFC 2142), before the catch-all; LOCAL-bounces of a mini-list
 * (lists.h) is what postmaster of that domain is.  Blocks for the directory.
 */
#ifndef POLICY_RESIDENTS_H
#define POLICY_RESIDENTS_H

#include "conf/conf.h"
#include "directory/directory.h"
#include "smtp/path.h"

struct resident {
    struct local local;
    bool by_key; /* LOCAL is an alias that TMAIL_POSTMASTER makes */
};

/* PATH is of a local rcpthost; what is found lives in ARENA. */
enum answer policy_resident(const struct directory *d, const struct conf *conf, const struct path *path, struct arena *arena,
                            struct resident *found);
/* PATH is postmaster, or, with TMAIL_POSTMASTER, abuse of this host, whatever domains are local. */
bool policy_is_host_role(const struct conf *conf, const struct path *path);
/* TMAIL_POSTMASTER, for the role PATH; empty: it is not set, or is that very address. */
struct str policy_postmaster(const struct conf *conf, const struct path *path);

#endif

/*
 * dns_options - what libunbound is told beyond what an administrator sets, as names and values of unbound.conf(5); and where trust anchors
 * are.
 */
#ifndef NET_DNS_OPTIONS_H
#define NET_DNS_OPTIONS_H

#include "net/dns.h"

struct dns_option {
    const char *name, *value;
};

/* Each ends with a name that is NULL. */
extern const struct dns_option dns_options_always[];
extern const struct dns_option dns_options_forwarding[]; /* where other resolvers are asked */

/* False with the reason in ERROR for a file that cannot be read, or holds no record: libunbound would validate nothing then. */
bool dns_check_trust_anchor(const char *path, char *error, size_t error_size);

#endif

/*
 * dns_forward - the list of resolvers that TMAIL_DNS_FORWARD holds, in pieces.  Pure functions; net/dns.h has the syntax.
 */
#ifndef NET_DNS_FORWARD_H
#define NET_DNS_FORWARD_H

#include "base/str.h"

enum { DNS_FORWARD_SIZE = 64 };

bool dns_forward_is_root(struct str text);
bool dns_forward_is_host(struct str text); /* nothing is named: the resolvers of the host */
/* Cuts the next item off REST; false at the end.  Writes it as IP@PORT into TO, or "" when it is no resolver. */
bool dns_forward_next(struct str *rest, struct str *item, char to[DNS_FORWARD_SIZE]);

#endif

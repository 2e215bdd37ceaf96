/*
 * reverse - the name of a client, by the DNS.
 *
 * The PTR record of its address names it, and counts only if one of that name's own addresses is the client's (RFC 1912 section 2.1):
 * anybody may write any name into a zone of addresses.  Blocks up to the deadline; a failure of the DNS is no name.
 */
#ifndef NET_REVERSE_H
#define NET_REVERSE_H

#include "net/address.h"
#include "net/dns.h"

/* "" in TO when there is none.  A loopback address is not asked for: it is "localhost". */
void reverse_name(struct dns *dns, const struct address *client, int64_t deadline, char to[DNS_NAME_SIZE]);

#endif

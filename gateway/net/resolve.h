/*
 * resolve - the addresses of a host that a route names.
 *
 * An address is its own answer; a name is asked of the host's resolver (getaddrinfo(3)), so what /etc/hosts says counts.  Blocks for as
 * long as that resolver's own time limits; called from delivery threads only.
 */
#ifndef NET_RESOLVE_H
#define NET_RESOLVE_H

#include "base/status.h"
#include "net/address.h"

enum { RESOLVE_MOST = 16 };

/* Fills TO with up to RESOLVE_MOST addresses, port PORT, in the order to try them; *COUNT of them.  2xx; 4xx when the resolver failed or
 * does not know the name: a relay named by an administrator is not given up because its name cannot be found today. */
struct status resolve(const char *host, int port, struct address *to, size_t *count);

#endif

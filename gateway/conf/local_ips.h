/*
 * local_ips - the source addresses of outgoing connections, read.
 *
 * `a&b` is tried in this order, `a|b` takes turns (a repeated address has more turns); the two do not mix.  It is the form of
 * TMAIL_DELIVERD_LOCAL_IPS and of a route's own list.  Addresses of both families may stand in one list: a connection uses those of its
 * family.  They live in the caller's arena.
 */
#ifndef CONF_LOCAL_IPS_H
#define CONF_LOCAL_IPS_H

#include "base/arena.h"
#include "net/address.h"

struct local_ips {
    bool in_turn;
    size_t count; /* at least 1 */
    struct address *items;
};

enum { LOCAL_IPS_ERROR_SIZE = 1024 };

/* False with the reason, one printable line, in ERROR. */
bool local_ips_parse(struct local_ips *l, struct str text, struct arena *arena, char *error, size_t error_size);

#endif

/*
 * relayips - the clients that may relay anywhere: rows of relay_ip_oks.
 *
 * A row is an address or a network, IPv4 or IPv6; `ip` holds its canonical text, first_bytes and last_bytes its range.  An IPv4 client is
 * only in IPv4 networks, an IPv6 client only in IPv6 networks.  A network is written with its first address: host bits are an error.
 */
#ifndef DIRECTORY_RELAYIPS_H
#define DIRECTORY_RELAYIPS_H

#include "directory/directory.h"
#include "directory/tables.h"

enum answer relayips_find(struct tables *t, const struct address *client);

struct status relayips_add(struct tables *t, struct str network);
struct status relayips_del(struct tables *t, struct str network);
struct status relayips_list(struct tables *t, void (*row)(void *context, int64_t id, struct str ip), void *context);

/* For the migration: writes the canonical text and the range of the row ID, whose text is IP.  True also when IP is no address. */
bool relayips_fill(struct tables *t, int64_t id, struct str ip);

#endif

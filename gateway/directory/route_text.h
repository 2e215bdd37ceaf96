/*
 * route_text - the parts of a route as people write them, brought to the form in which the table holds them.
 *
 * Each function returns NULL, or what is wrong and what was expected: a literal, which quotes nothing.  Nothing blocks.
 */
#ifndef DIRECTORY_ROUTE_TEXT_H
#define DIRECTORY_ROUTE_TEXT_H

#include "base/buf.h"
#include "conf/endpoint.h"
#include "smtp/domain.h"

enum { ROUTE_ITEMS_MAX = 100, SMTP_PORT = 25 };

/* A list is one item, or several joined with & (in order) or | (in turn). */
struct route_list {
    size_t count;
    bool in_turn;
    struct str items[ROUTE_ITEMS_MAX];
};

const char *route_list_read(struct str text, struct route_list *list);

/* Source addresses, each an IP (IPv6 with or without brackets); canonical text is added to TO. */
const char *route_locals_read(struct str text, struct buf *to);

/* A next hop: a name, an IP with or without brackets, `mx`, or lmtp: with an endpoint behind it.  TO has DOMAIN_SIZE bytes. */
const char *route_remote_read(struct str text, char *to);
/* Of what route_remote_read has written, or somebody else. */
bool route_remote_is_lmtp(const char *remote);
bool route_lmtp_endpoint(const char *remote, struct endpoint *e, struct arena *arena);

/* A next hop with its port, HOST:PORT or [IPv6]:PORT; the word mx alone stands without one (PORT becomes 25). */
const char *route_remote_port_read(struct str text, char *to, int *port);

#endif

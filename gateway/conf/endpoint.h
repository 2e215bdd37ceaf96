/*
 * endpoint - where another program listens, read: `unix:/path` or `inet:host:port`.
 *
 * HOST is a name in normal form or an address, IPv6 in brackets.  `inet:` may be left out.  What is read lives in the caller's arena.
 */
#ifndef CONF_ENDPOINT_H
#define CONF_ENDPOINT_H

#include "base/arena.h"

struct endpoint {
    const char *path; /* of a Unix socket; NULL: it is HOST and PORT */
    const char *host;
    int port;
};

enum { ENDPOINTS_MAX = 16, ENDPOINT_PATH_SIZE = 108 /* sockaddr_un */ };

struct endpoints {
    struct endpoint items[ENDPOINTS_MAX];
    size_t count;
};

#define ENDPOINT_EXPECTED "unix:/path or inet:host:port"

bool endpoint_parse(struct endpoint *e, struct str text, struct arena *arena);
/* Several, separated by ; or a comma; at least one. */
bool endpoints_parse(struct endpoints *e, struct str text, struct arena *arena);

#endif

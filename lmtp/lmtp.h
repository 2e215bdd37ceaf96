/*
 * lmtp - a connection to an LMTP server (RFC 2033), open and greeted.
 *
 * lmtp_open connects to an endpoint, a Unix socket or the addresses of a host in turn, says LHLO and turns on TLS as TMAIL_LMTP_TLS wants
 * it; a Unix socket has none.  What follows are the calls of transfer/client.h.  Blocks for the DNS and the connection up to
 * TMAIL_DELIVERD_CONNECT_TIMEOUT, for each reply up to the timeout of the call; ends when the process is told to stop.
 */
#ifndef LMTP_LMTP_H
#define LMTP_LMTP_H

#include "conf/conf.h"
#include "conf/endpoint.h"
#include "net/dns.h"
#include "transfer/client.h"

/* Shared by all threads; borrowed. */
struct lmtp_means {
    const struct conf *conf;
    struct dns *dns;        /* NULL: endpoints have no names that must be looked up */
    struct tls_client *tls; /* NULL: none of them wants TLS */
};

enum { LMTP_NAME_SIZE = 300 };

/* Opens C to E, TIMEOUT a reply.  2xx: client_close is due; else temporary, with the endpoint's name in the text, and C is closed. */
struct status lmtp_open(struct client *c, const struct endpoint *e, const struct lmtp_means *means, int64_t timeout);
/* "unix:/path", "host:port". */
void lmtp_name(const struct endpoint *e, char name[LMTP_NAME_SIZE]);

#endif

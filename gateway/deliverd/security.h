/*
 * security - what the client of a connection is told about TLS and the login.
 *
 * How a host is to be protected says route/protection.h; here it meets the hop's secret.  security_open opens the password, or gets the
 * token, which may block for the token endpoint; security_done wipes it.
 */
#ifndef DELIVERD_SECURITY_H
#define DELIVERD_SECURITY_H

#include "directory/secrets.h"
#include "route/protection.h"
#include "transfer/client.h"
#include "transfer/token.h"

/* What all attempts share for it. */
struct security_means {
    struct tls_client *tls;
    struct secrets *secrets;
    struct tokens *tokens;
};

struct security {
    struct client_security client; /* what the client is given */
    struct buf secret;
};

/* For all hosts of HOP.  FLUSHED as token.h has it.  2xx, or 4xx when there is no secret for the login now.  security_done is due in either
 * case. */
struct status security_open(struct security *s, const struct security_means *means, const struct hop *hop, int64_t flushed);
void security_done(struct security *s);
/* For the host whose protection P is; it lives as long as S is used. */
void security_protect(struct security *s, const struct protection *p);
/* The same without TLS. */
void security_fall_back(struct security *s);

#endif

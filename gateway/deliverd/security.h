/*
 * security - how a connection to a hop is to be protected, and with which secret it logs in.
 *
 * The hop's own TLS rule counts, else the configuration's.  Port 465 is TLS from the first byte unless the rule is none (RFC 8314 section
 * 7.3).  A login is never less than `encrypt`, and `verify` where nobody said how.  security_prepare opens the password, or gets the token,
 * which may block for the token endpoint; security_done wipes it.
 */
#ifndef DELIVERD_SECURITY_H
#define DELIVERD_SECURITY_H

#include "conf/conf.h"
#include "directory/secrets.h"
#include "route/route.h"
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
    bool may_fall_back; /* to plain text, when TLS fails */
    struct buf secret;
};

/* FLUSHED as token.h has it.  2xx, or 4xx when there is no secret for the login now.  security_done is due in either case. */
struct status security_prepare(struct security *s, const struct security_means *means, const struct conf *conf, const struct hop *hop,
                               int64_t flushed);
void security_done(struct security *s);
/* The same without TLS. */
void security_fall_back(struct security *s);

#endif

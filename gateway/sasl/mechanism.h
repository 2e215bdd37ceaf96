/*
 * mechanism - the SASL mechanisms that we know (RFC 4422), by name.
 *
 *     PLAIN (RFC 4616) · LOGIN (draft-murchison-sasl-login) · CRAM-MD5 (RFC 2195) · SCRAM-SHA-256, SCRAM-SHA-256-PLUS (RFC 5802, 7677) ·
 *     XOAUTH2 (as Google and Microsoft document it) · OAUTHBEARER (RFC 7628)
 * The last two are spoken to next hops only.  Names compare without case.
 */
#ifndef SASL_MECHANISM_H
#define SASL_MECHANISM_H

#include "base/str.h"

enum sasl_mechanism {
    SASL_SCRAM_SHA_256_PLUS, /* in the order in which we would rather */
    SASL_SCRAM_SHA_256,
    SASL_CRAM_MD5,
    SASL_PLAIN,
    SASL_LOGIN,
    SASL_OAUTHBEARER,
    SASL_XOAUTH2,
    SASL_MECHANISMS
};

const char *sasl_mechanism_name(enum sasl_mechanism m);
bool sasl_mechanism_find(struct str name, enum sasl_mechanism *m);
/* Whoever reads along learns the password or the token. */
bool sasl_mechanism_shows_secret(enum sasl_mechanism m);

/* What one step of an exchange came to, on either side. */
enum sasl_result {
    SASL_CONTINUE,    /* say what was written, and hear more */
    SASL_DONE,        /* server: logged in; client: nothing is left to say */
    SASL_REFUSED,     /* server: wrong login or password, or one that may not; client: the server did not prove that it knows the
                       * password, or our own login or secret is nothing that can be said */
    SASL_MALFORMED,   /* the peer said what the mechanism does not have */
    SASL_UNAVAILABLE, /* the users could not be asked */
};

#endif

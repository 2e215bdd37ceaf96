/*
 * client - the client's side of a login, one exchange (RFC 4422 section 3).
 *
 * sasl_client_begin, then a step for each challenge, decoded from base64; where the mechanism lets the client speak first
 * (sasl_client_has_initial) the first step's challenge is empty.  SASL_CONTINUE: send the response, which may be empty; SASL_DONE (of SCRAM
 * alone): the server proved itself, and an empty response is still due, because it did ask.  Whether the login is good is the server's
 * verdict.  After its success sasl_client_proved tells whether the server owed a proof and gave it: SCRAM's server signature.  Challenges
 * are hostile input: bounded by SASL_CHALLENGE_MAX, SCRAM's iterations by SASL_ITERATIONS_MAX.  Nothing blocks but SCRAM's key derivation.
 * sasl_client_end wipes what was secret.
 */
#ifndef SASL_CLIENT_H
#define SASL_CLIENT_H

#include "base/buf.h"
#include "sasl/mechanism.h"

enum { SASL_CHALLENGE_MAX = 9216 };

/* Borrowed until sasl_client_end. */
struct sasl_login {
    struct str login;
    struct str secret;  /* the password, or the OAuth token */
    const char *host;   /* of the server, for OAUTHBEARER */
    int port;
    struct str binding; /* tls-exporter, for SCRAM-SHA-256-PLUS; empty where there is none */
    bool could_bind;    /* there is a binding and the server offers no PLUS: SCRAM says so */
};

struct sasl_client;

struct sasl_client *sasl_client_begin(enum sasl_mechanism m, const struct sasl_login *login);
void sasl_client_end(struct sasl_client **c);

bool sasl_client_has_initial(enum sasl_mechanism m);
/* Replaces the content of RESPONSE (not encoded). */
enum sasl_result sasl_client_step(struct sasl_client *c, struct str challenge, struct buf *response);
bool sasl_client_proved(const struct sasl_client *c);
/* What the server said of a token that it refused, printable, or "" (RFC 7628 section 3.2.2). */
const char *sasl_client_complaint(const struct sasl_client *c);

#endif

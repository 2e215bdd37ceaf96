/*
 * auth - logins by Dovecot's auth socket (auth-client protocol, version 1), in place of our own users.
 *
 * A struct dovecot_auth is one connection, which one session borrows for one exchange: dovecot_auth_open connects and shakes hands, which
 * tells the mechanisms; then dovecot_auth_begin with the client's initial response, or none, and dovecot_auth_continue for each further
 * one, as long as the result is SASL_CONTINUE.  Responses and challenges are base64 as they stand on either wire; a TAB or an end of line
 * in them never gets through.  Blocks for the network up to the deadline that each call is given; what Dovecot sends is bounded, and a
 * line that makes no sense ends the connection.  SASL_UNAVAILABLE: Dovecot does not answer, or said "temp"; never a refusal.  Dovecot
 * delays failures itself.
 */
#ifndef DOVECOT_AUTH_H
#define DOVECOT_AUTH_H

#include "net/address.h"
#include "base/buf.h"
#include "sasl/mechanism.h"

enum { DOVECOT_MECHANISMS = 32, DOVECOT_NAME = 32, DOVECOT_LOGIN = 321 };

struct dovecot_mechanism {
    char name[DOVECOT_NAME];
    bool plaintext;          /* shows the password */
    bool wants_initial;      /* known to us to start with the client: an empty challenge asks for it */
};

struct dovecot_auth;

struct dovecot_client {
    const struct address *peer, *local;
    bool tls;
    const char *session;
};

/* NULL with the reason in ERROR.  PATH is the socket's. */
struct dovecot_auth *dovecot_auth_open(const char *path, int64_t deadline, char *error, size_t error_size);
void dovecot_auth_close(struct dovecot_auth **a);

const struct dovecot_mechanism *dovecot_auth_mechanisms(const struct dovecot_auth *a, size_t *count);

/* INITIAL is base64, {NULL, 0} for none; CHALLENGE gets base64.  One exchange at a time; another may follow the end of one. */
enum sasl_result dovecot_auth_begin(struct dovecot_auth *a, const char *mechanism, const struct dovecot_client *client, struct str initial,
                                    int64_t deadline, struct buf *challenge);
enum sasl_result dovecot_auth_continue(struct dovecot_auth *a, struct str response, int64_t deadline, struct buf *challenge);
/* With SASL_DONE: who logged in, as Dovecot calls them; with SASL_REFUSED: who tried, or "". */
const char *dovecot_auth_login(const struct dovecot_auth *a);
/* With SASL_UNAVAILABLE: why, for the log; else "". */
const char *dovecot_auth_reason(const struct dovecot_auth *a);

#endif

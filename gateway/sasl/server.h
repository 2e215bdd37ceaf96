/*
 * server - the server's side of a login, one exchange (RFC 4422 section 3).
 *
 * sasl_server_begin, then a step for each response, decoded from base64, until the result is not SASL_CONTINUE.  The exchange asks `users`
 * and blocks for as long as that does.  Unknown login, wrong password and inactive user are the same SASL_REFUSED, reached over the same
 * steps with the same work: an unknown login is shown a salt that is always the same for it and for nobody else to compute.  An
 * authorization identity other than the login is refused.  Responses are hostile input: each is bounded by SASL_RESPONSE_MAX.
 * sasl_server_end wipes what was secret.
 */
#ifndef SASL_SERVER_H
#define SASL_SERVER_H

#include "base/arena.h"
#include "sasl/keys.h"
#include "sasl/mechanism.h"

enum { SASL_RESPONSE_MAX = 9216, SASL_LOGIN_MAX = 320, SASL_BINDING = 32 };

enum sasl_answer { SASL_NO, SASL_YES, SASL_FAILED };

/* Whom to ask; any thread may. */
struct sasl_users {
    void *self;
    /* LOGIN may log in with PASSWORD. */
    enum sasl_answer (*check)(void *self, struct str login, struct str password);
    /* The keys of LOGIN, who may log in. */
    enum sasl_answer (*keys)(void *self, struct str login, struct sasl_keys *keys);
};

struct sasl_settings {
    const struct sasl_users *users;
    const char *me;                  /* for CRAM-MD5's challenge */
    struct str binding;              /* tls-exporter (RFC 9266), SASL_BINDING bytes; empty where there is none */
    struct str decoy;                /* secret bytes that stay the same, for the salts of logins that do not exist; empty: this process's own */
    bool offers_plus;                /* SCRAM-SHA-256-PLUS stood in the list: who says that we have it not was lied to */
};

struct sasl_server;

struct sasl_server *sasl_server_begin(enum sasl_mechanism m, const struct sasl_settings *settings);
void sasl_server_end(struct sasl_server **s);

/* True when the client speaks first: its initial response is the first step.  Else a step with an empty response makes the first challenge.
 * */
bool sasl_server_wants_initial(enum sasl_mechanism m);
/* Replaces the content of CHALLENGE (not encoded), which is to be sent with SASL_CONTINUE.  What a mechanism says along with success
 * (SCRAM's server-final) is one more challenge, to which the client answers with nothing (RFC 4422 section 5, RFC 4954 section 4). */
enum sasl_result sasl_server_step(struct sasl_server *s, struct str response, struct buf *challenge);
/* Who asked, as far as it was said: for the log and the counting of failures also when refused; "" before. */
const char *sasl_server_login(const struct sasl_server *s);

#endif

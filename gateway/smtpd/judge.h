/*
 * judge - who says whether a login is good: our own users, or Dovecot (TMAIL_DOVECOT_AUTH); and one exchange with it.
 *
 * Responses and challenges are base64, as they stand on the wire.  judge_begin starts an exchange and takes the initial response; as long
 * as the result is SASL_CONTINUE its challenge is said to the client and judge_step takes the answer.  exchange_end frees it, wiped.
 * Blocks for the directory and for hashing, or for Dovecot's answer.
 */
#ifndef SMTPD_JUDGE_H
#define SMTPD_JUDGE_H

#include "conf/conf.h"
#include "directory/directory.h"
#include "sasl/mechanism.h"

enum { JUDGE_MECHANISMS = 32, JUDGE_NAME = 32 };

struct judge_mechanism {
    char name[JUDGE_NAME];
    bool shows_secret;  /* for TLS only */
    bool needs_binding; /* for TLS with a channel binding only */
};

struct judge;

struct judge *judge_new(const struct conf *conf, const struct directory *directory);
/* The mechanisms that it knows and the configuration wants, best first; at most JUDGE_MECHANISMS.  A Dovecot that does not answer offers
 * what it last did. */
size_t judge_mechanisms(struct judge *j, struct judge_mechanism *to);
/* Logins need not be users of ours. */
bool judge_vouches(const struct judge *j);

/* What an exchange may depend on. */
struct judge_client {
    const struct address *peer, *local;
    const char *session;
    bool tls;
    struct str binding; /* tls-exporter; empty: none.  Borrowed until exchange_end */
    bool offers_plus;
};

struct exchange;

/* INITIAL is what stood behind the mechanism: base64, `=` for an empty one, {NULL, 0} for none. */
enum sasl_result judge_begin(struct judge *j, const char *mechanism, const struct judge_client *client, struct str initial,
                             struct exchange **exchange);
enum sasl_result exchange_step(struct exchange *x, struct str response);
struct str exchange_challenge(const struct exchange *x);
/* With SASL_DONE who logged in, in the form of the directory; else who tried, "" while unknown. */
const char *exchange_login(const struct exchange *x);
void exchange_end(struct exchange **x);

#endif

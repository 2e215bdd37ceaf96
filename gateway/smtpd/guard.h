/*
 * guard - logins that failed, counted per client (address_client) and per login, and the clients that are locked out for them.
 *
 * Counts live in this process, for as long as TMAIL_SMTPD_AUTH_LOCK_TIME after the last failure, in a table of fixed size where the oldest
 * make room.  A success forgives nothing: who has one password must not be able to try others in between.  Any thread may call; nothing
 * blocks but a short lock.
 */
#ifndef SMTPD_GUARD_H
#define SMTPD_GUARD_H

#include "net/address.h"

struct guard;

/* MOST failures of a client before it is locked, 0: never. */
struct guard *guard_new(int64_t most, int64_t lock_ms, int64_t delay_ms);

/* How long CLIENT is locked from now, in ms; 0: it is not. */
int64_t guard_locked(struct guard *g, const struct address *client);

struct guard_count {
    int64_t of_client, of_login;
    int64_t delay; /* ms that the answer shall take */
    bool locked;   /* by this failure */
};

struct guard_count guard_failed(struct guard *g, const struct address *client, struct str login);

#endif

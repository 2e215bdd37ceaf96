/*
 * logins - who may log in, and with what: the questions of AUTH to the rows of users.
 *
 * Checking a password has two steps: logins_find reads the row over a connection, logins_check hashes, with no connection held.  It takes
 * as long for a login that does not exist, is not active or has no usable hash as for one with a hash of ours.  At most LOGINS_HASHES are
 * computed at a time, who waits for longer than LOGINS_WAIT_MS has ANSWER_FAILED.  A password that was right is known again, without
 * hashing, for LOGINS_KNOWN_MS as long as its hash stays the same (directory/known.h).  Rows hold what logs in: wipe them with
 * login_row_done.
 */
#ifndef DIRECTORY_LOGINS_H
#define DIRECTORY_LOGINS_H

#include "directory/directory.h"
#include "directory/password.h"
#include "directory/tables.h"

enum { LOGINS_HASHES = 4, LOGINS_WAIT_MS = 10000, LOGINS_KNOWN_MS = 300000 };

struct login_row {
    bool active, relay;
    char passwd[PASSWORD_HASH_SIZE]; /* "": none that is a hash */
    struct sasl_keys keys;
};

/* LOGIN as a client gave it. */
enum answer logins_find(struct tables *t, struct str login, struct login_row *row);
void login_row_done(struct login_row *row);

struct logins;

struct logins *logins_new(void); /* NULL without entropy */
void logins_free(struct logins **l);

/* ROW is NULL for a login that was not found.  Any thread; blocks for the hash. */
enum answer logins_check(struct logins *l, const struct login_row *row, struct str password);

#endif

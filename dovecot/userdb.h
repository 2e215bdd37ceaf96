/*
 * userdb - what Dovecot knows of a mailbox: a question to its socket auth-userdb, as dovecot-lda asks it (auth-master protocol, version 1).
 *
 * One connection a question.  Blocks for the socket up to the deadline.  What Dovecot says is bounded, and a line that makes no sense ends
 * the question.
 */
#ifndef DOVECOT_USERDB_H
#define DOVECOT_USERDB_H

#include "base/buf.h"
#include "directory/directory.h"

#define USERDB_PATH "/run/dovecot/auth-userdb"

enum { USERDB_TEXT = 512 };

struct userdb_user {
    char home[USERDB_TEXT], uid[USERDB_TEXT]; /* "": it did not say */
};

/* ANSWER_FAILED: with the reason in ERROR. */
enum answer userdb_find(const char *path, struct str login, int64_t deadline, struct userdb_user *user, char *error, size_t error_size);

#endif

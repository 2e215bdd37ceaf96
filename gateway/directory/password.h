/*
 * password - hashes of passwords, and the only file that knows libcrypt.
 *
 * Hashing takes tens of milliseconds of CPU on purpose: never while a transaction is open.  Copies of the password are wiped.
 */
#ifndef DIRECTORY_PASSWORD_H
#define DIRECTORY_PASSWORD_H

#include "base/str.h"

enum { PASSWORD_MIN = 6, PASSWORD_MAX = 511, PASSWORD_HASH_SIZE = 384 };

enum password_scheme {
    PASSWORD_YESCRYPT,     /* ours */
    PASSWORD_SHA512_CRYPT, /* $6$, what Dovecot is told that it is */
};

/* TO has PASSWORD_HASH_SIZE bytes.  False for a password with a NUL or longer than PASSWORD_MAX bytes, or without entropy to salt it. */
bool password_hash(enum password_scheme scheme, struct str password, char *to);
/* HASH may be of any scheme that libcrypt knows (crypt(5)), the earlier tmail's bcrypt too. */
bool password_matches(struct str password, const char *hash);

#endif

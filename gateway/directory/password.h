/*
 * password - hashes of passwords, and the only file that knows libcrypt.
 *
 * Hashing takes tens of milliseconds of CPU and 16 MB on purpose: never while a transaction is open, and in a daemon only a few at a time
 * (logins.h).  Copies of the password are wiped.
 */
#ifndef DIRECTORY_PASSWORD_H
#define DIRECTORY_PASSWORD_H

#include "directory/directory.h"

enum { PASSWORD_MIN = 6, PASSWORD_MAX = 511, PASSWORD_HASH_SIZE = 384 };

enum password_scheme {
    PASSWORD_YESCRYPT,     /* ours */
    PASSWORD_SHA512_CRYPT, /* $6$, what Dovecot is told that it is */
};

/* TO has PASSWORD_HASH_SIZE bytes.  False for a password with a NUL or longer than PASSWORD_MAX bytes, or without entropy to salt it. */
bool password_hash(enum password_scheme scheme, struct str password, char *to);
/* HASH may be of any scheme that libcrypt knows (crypt(5)), the earlier tmail's bcrypt too.  ANSWER_FAILED: there was no memory for it. */
enum answer password_matches(struct str password, const char *hash);
/* libcrypt knows the scheme of HASH. */
bool password_is_hash(const char *hash);
/* A salt for PASSWORD_YESCRYPT in TO: in the place of a hash it takes as long and matches nothing. */
bool password_decoy(char *to);

#endif

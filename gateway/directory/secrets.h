/*
 * secrets - passwords that we must be able to say again, sealed in the database with a key that is not in it.
 *
 * The key file holds 32 random bytes as 64 hex digits and a newline; it is made, with mode 0600 and on disk before it is used, when the
 * first secret is sealed.  A sealed secret is text, `{sealed}` and base64, and is bound to its CONTEXT: copied into another row it
 * cannot be opened.  What does not start with `{sealed}` is a secret in plain text, as an earlier tmail stored it, and opens as it is.
 * A struct secrets reads its file when it is first needed and again after a failure; any thread may call.  Blocks for the file.
 */
#ifndef DIRECTORY_SECRETS_H
#define DIRECTORY_SECRETS_H

#include "base/buf.h"

enum { SECRETS_ERROR_SIZE = 512 };

struct secrets;

struct secrets *secrets_new(const char *path);
void secrets_free(struct secrets **s);

/* The key file is there, or may be made: MADE_BEFORE, something is sealed with one that was there, forbids that, for a file that is merely
 * away (a file system that is not mounted) must not be replaced.  False with the reason in ERROR. */
bool secrets_check(struct secrets *s, bool made_before, char *error, size_t error_size);
/* Append to TO; false with the reason, which names the file and says what to do, in ERROR. */
bool secrets_seal(struct secrets *s, struct str context, struct str plain, struct buf *to, char *error, size_t error_size);
bool secrets_open(struct secrets *s, struct str context, struct str stored, struct buf *to, char *error, size_t error_size);
bool secrets_is_sealed(struct str stored);

/* The context of the password of a route: whoever can write rows cannot send it to another host. */
void secrets_route_context(struct str remote_host, struct str login, struct buf *to);

#endif

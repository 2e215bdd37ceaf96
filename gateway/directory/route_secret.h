/*
 * route_secret - the passwords of routes, sealed (secrets.h).
 */
#ifndef DIRECTORY_ROUTE_SECRET_H
#define DIRECTORY_ROUTE_SECRET_H

#include "directory/routes.h"

/* Appends the password of R in the form of the table, nothing where R has none; remote_host and login are in that form already. */
struct status route_secret_seal(struct secrets *secrets, const struct route_row *r, struct buf *to);

/* Seals what an earlier tmail stored in plain text, in one change, and leaves nothing of it in the file.  *COUNT rows had such a password;
 * none, as always but the first time: nothing is written, and no key made. */
struct status route_secret_seal_stored(struct tables *t, struct secrets *secrets, size_t *count);

#endif

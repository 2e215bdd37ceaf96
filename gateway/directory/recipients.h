/*
 * recipients - what mail for an address of a local domain comes to.
 *
 * In this order: a user with a mailbox, an alias of that address; the same for what stands before the detail (user+detail); both at the
 * domain that an alias domain stands for, and then that domain's catch-all (one step, so no loop); the catch-all of the domain.  An
 * inactive user receives: `active` is about logging in, and Dovecot's user query does not look at it either.  An alias that stands for
 * nothing, as an earlier tmail may have it, is none.  postmaster and abuse are names like all others here (policy/residents.h).
 */
#ifndef DIRECTORY_RECIPIENTS_H
#define DIRECTORY_RECIPIENTS_H

#include "directory/directory.h"
#include "directory/tables.h"

/* LOCAL without quotes, DOMAIN in normal form; DELIMITER '\0': there are no details. */
enum answer recipients_find(struct tables *t, struct str local, struct str domain, char delimiter, struct arena *arena,
                            struct local *found);

#endif

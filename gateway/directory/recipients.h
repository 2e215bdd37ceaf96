/*
 * recipients - whether somebody takes mail for an address of a local domain.
 *
 * In this order: a user with a mailbox, an alias of that address, the same at the domain that an alias domain stands for (one step, so no
 * loop), the catch-all of the domain.  An inactive user receives: `active` is about logging in, and Dovecot's user query does not look at
 * it either.  postmaster and abuse are names like all others.
 */
#ifndef DIRECTORY_RECIPIENTS_H
#define DIRECTORY_RECIPIENTS_H

#include "directory/directory.h"
#include "directory/tables.h"

/* LOCAL without quotes, DOMAIN in normal form. */
enum answer recipients_find(struct tables *t, struct str local, struct str domain);
/* The addresses that it stands for, in the same order: a mailbox stands for nobody else. */
enum answer recipients_alias(struct tables *t, struct str local, struct str domain, struct arena *arena, struct alias *alias);

#endif

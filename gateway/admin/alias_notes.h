/*
 * alias_notes - what an administrator should know of an alias that was just made, although nothing is wrong with it.
 *
 * Mail for addresses of ours that nobody has, and failures of a mini-list's mail that nobody reads.  Blocks for the database.
 */
#ifndef ADMIN_ALIAS_NOTES_H
#define ADMIN_ALIAS_NOTES_H

#include "admin/command.h"
#include "directory/aliases.h"

/* A, which is in the tables now, on standard error. */
void alias_notes(const struct invocation *i, struct tables *t, const struct new_alias *a);

#endif

/*
 * change - what all commands on tmail.db have in common: getting at it, and saying how it went.
 *
 * Commands run as TMAIL_USER, so that a database which they create belongs to who will work with it.  A missing one is created at once
 * with --create or where standard input is no terminal, else after asking.
 */
#ifndef ADMIN_CHANGE_H
#define ADMIN_CHANGE_H

#include "admin/command.h"
#include "base/status.h"
#include "directory/tables.h"

/* The option that every such command has. */
#define CHANGE_OPTION_CREATE {"create", NULL, NULL, "create a missing database without asking"}
extern const struct option_spec change_options[]; /* that one alone */

/* For a command that keeps its identity, to read what only root may: from here on it is TMAIL_USER.  Returns EXIT_DONE or says why not. */
int change_become(struct invocation *i);

/* EXIT_DONE and the open tables in T, or another exit status after the complaint. */
int change_open(struct invocation *i, struct tables **t);
/* Closes T; complains when S is no success, and says what the text of a success says.  Returns the exit status. */
int change_close(struct invocation *i, struct tables **t, const struct status *s);

/* For one change by one word. */
int change_word(struct invocation *i, struct status (*change)(struct tables *t, struct str word));

/* A listing: LIST tells each row to its printer (whose context is a struct listing_rows) and says how it went; NONE stands for no rows. */
struct listing_rows {
    struct listing *listing;
    struct str word; /* the one that was typed, empty for none */
    size_t count;
};
int change_list(struct invocation *i, struct status (*list)(struct tables *t, struct listing_rows *rows), const char *none);

/* The column KEY, null where it is empty. */
void change_list_optional(struct listing_rows *rows, const char *key, struct str value);

#endif

/*
 * help - the texts of --help, made from the tables of the commands.
 *
 * Text for a terminal, 80 columns wide.  A NULL group means the application, a NULL command the whole of a noun.
 */
#ifndef ADMIN_HELP_H
#define ADMIN_HELP_H

#include "admin/command.h"

void help_write(const struct command_table *table, const struct command_group *group, const struct command *command, struct buf *to);
/* One line that names the --help which would have helped. */
void help_hint(const struct command_group *group, const struct command *command, struct buf *to);

/* The first sentence of TEXT, without its full stop. */
struct str help_first_sentence(const char *text);

#endif

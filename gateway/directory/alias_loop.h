/*
 * alias_loop - whether an alias leads back to itself.
 *
 * Recipients are resolved as mail for them is (recipients.h); where that comes to more than ALIASES_DEPTH_MAX steps, or more than
 * ALIASES_TARGETS_MAX looks, the search is given up, and who receives looks again.  Blocks for the database.
 */
#ifndef DIRECTORY_ALIAS_LOOP_H
#define DIRECTORY_ALIAS_LOOP_H

#include "directory/tables.h"

enum { LOOP_LOOKS_MAX = 20000 };

/* ALIAS, which is in the table, stands for addresses that do not lead back to it or go round in a circle; else it is refused, and the
 * chain named. */
struct status alias_loop_check(struct tables *t, struct str alias, char delimiter);
/* The same for all aliases that stand for addresses of DOMAIN, in normal form; LOOP_LOOKS_MAX looks together. */
struct status alias_loop_check_domain(struct tables *t, struct str domain, char delimiter);

#endif

/*
 * aliases - names that stand for others: rows of aliases, as far as a recipient's existence depends on them.
 */
#ifndef DIRECTORY_ALIASES_H
#define DIRECTORY_ALIASES_H

#include "directory/directory.h"
#include "directory/tables.h"

/* ADDRESS (names.h) has a row of its own. */
enum answer aliases_has_address(struct tables *t, struct str address);
/* The same, and LOGIN is among those that it delivers to. */
enum answer aliases_delivers_to(struct tables *t, struct str address, struct str login);
/* The domain that DOMAIN stands for, in normal form, in TARGET (DOMAIN_SIZE bytes). */
enum answer aliases_target(struct tables *t, struct str domain, char *target);

#endif

/*
 * lists - the address that failures of a mini-list come to: LOCAL-bounces@DOMAIN of list LOCAL@DOMAIN.
 *
 * Pure.
 */
#ifndef POLICY_LISTS_H
#define POLICY_LISTS_H

#include "base/arena.h"

/* The envelope sender of what goes to the members of LIST, an address of ours; empty for what is no address. */
struct str policy_list_sender(struct str list, struct arena *arena);
/* LOCAL has the form of that sender's local part: *LIST is the list's. */
bool policy_list_of(struct str local, struct str *list);

#endif

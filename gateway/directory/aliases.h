/*
 * aliases - names that stand for others: rows of aliases.
 *
 * An alias is an address of a local domain that stands for addresses, here or elsewhere, or a domain that stands for another.  Those with a
 * command, and mini-lists, are an earlier tmail's and are known only to exist.  Changes take names as typed; an alias whose addresses lead
 * back to it is refused.
 */
#ifndef DIRECTORY_ALIASES_H
#define DIRECTORY_ALIASES_H

#include "directory/directory.h"
#include "directory/tables.h"

enum { ALIASES_DEPTH_MAX = 10, ALIASES_TARGETS_MAX = 1000 };

struct alias_row {
    int64_t id;
    struct str alias;
    struct str deliver_to; /* joined with ; */
    struct str pipe;       /* empty: none */
    bool is_domain, is_mini_list;
};

/* ADDRESS (names.h) has a row of its own. */
enum answer aliases_has_address(struct tables *t, struct str address);
/* The same, and LOGIN is among those that it delivers to. */
enum answer aliases_delivers_to(struct tables *t, struct str address, struct str login);
/* The domain that DOMAIN stands for, in normal form, in TARGET (DOMAIN_SIZE bytes). */
enum answer aliases_target(struct tables *t, struct str domain, char *target);
/* The addresses that ADDRESS (names.h) stands for, and for nothing else, into ALIAS. */
enum answer aliases_find(struct tables *t, struct str address, struct arena *arena, struct alias *alias);

/* DELIVER_TO: addresses, separated by ; or spaces. */
struct status aliases_add(struct tables *t, struct str alias, struct str deliver_to);
struct status aliases_del(struct tables *t, struct str alias);
struct status aliases_list(struct tables *t, void (*row)(void *context, const struct alias_row *r), void *context);

#endif

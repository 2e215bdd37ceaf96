/*
 * aliases - names that stand for others: rows of aliases.
 *
 * An alias is an address of a local domain that stands for addresses, here or elsewhere, or for a command that gets the message, or both;
 * or it is a domain that stands for another.  A mini-list is an alias whose members' copies come from the list.  Changes take names as
 * typed; an alias whose addresses lead back to it is refused.
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

struct new_alias {
    struct str alias;
    struct str deliver_to; /* addresses, or a domain, separated by ; or spaces; empty: none */
    struct str command;    /* words as base/argv.h reads them; empty: none */
    bool is_list;
    char delimiter;        /* before a detail, to see loops by; '\0': none */
};

/* ADDRESS (names.h) has a row of its own. */
enum answer aliases_has_address(struct tables *t, struct str address);
/* The same, and LOGIN is among those that it delivers to. */
enum answer aliases_delivers_to(struct tables *t, struct str address, struct str login);
/* Success; its text names those that deliver to LOGIN, who has gone, if there are any. */
struct status aliases_note_rest(struct tables *t, struct str login);
/* The domain that DOMAIN stands for, in normal form, in TARGET (DOMAIN_SIZE bytes). */
enum answer aliases_target(struct tables *t, struct str domain, char *target);
/* A domain that stands for DOMAIN, in ALIAS (DOMAIN_SIZE bytes). */
enum answer aliases_of_domain(struct tables *t, struct str domain, char *alias);
/* What ADDRESS (names.h) stands for, if for anything: fills the fields of FOUND that an alias has. */
enum answer aliases_find(struct tables *t, struct str address, struct arena *arena, struct local *found);

struct status aliases_add(struct tables *t, const struct new_alias *a);
/* With the rcpthost, where it is a domain.  The text of the success says what is left of the domain (mailbox.h). */
struct status aliases_del(struct tables *t, struct str alias);
struct status aliases_list(struct tables *t, void (*row)(void *context, const struct alias_row *r), void *context);

#endif

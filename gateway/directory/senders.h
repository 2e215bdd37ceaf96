/*
 * senders - the addresses that a login may send from beside its own: rows of user_senders.
 *
 * A sender is an address, or a domain for all addresses of it.  senders_allow is the whole rule: the login itself; an alias of that
 * address whose deliver_to names the login; the same at the domain that an alias domain stands for; a row here.  Names are in the forms
 * of names.h.  A login need not be a row of users: Dovecot may know it.
 */
#ifndef DIRECTORY_SENDERS_H
#define DIRECTORY_SENDERS_H

#include "directory/directory.h"
#include "directory/tables.h"

struct sender_row {
    int64_t id;
    struct str login, sender;
};

enum answer senders_allow(struct tables *t, struct str login, struct str sender);

struct status senders_add(struct tables *t, struct str login, struct str sender);
struct status senders_del(struct tables *t, struct str login, struct str sender);
/* All of LOGIN, inside a change. */
struct status senders_forget(struct tables *t, struct str login);
/* LOGIN empty: of all. */
struct status senders_list(struct tables *t, struct str login, void (*row)(void *context, const struct sender_row *r), void *context);

#endif

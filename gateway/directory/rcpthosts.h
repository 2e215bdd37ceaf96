/*
 * rcpthosts - the domains that we accept mail for: rows of rcpt_hosts.
 *
 * A local domain has its mailboxes here, for a remote one we relay; an alias domain is local and stands for another.  Questions want
 * domains in normal form, changes take them as typed.  A call blocks for the database.
 */
#ifndef DIRECTORY_RCPTHOSTS_H
#define DIRECTORY_RCPTHOSTS_H

#include "directory/directory.h"
#include "directory/tables.h"

struct rcpthost_row {
    int64_t id;
    struct str hostname;
    struct rcpthost host;
};

enum answer rcpthosts_find(struct tables *t, struct str domain, struct rcpthost *host);

struct status rcpthosts_add(struct tables *t, struct str domain, bool is_local);
/* The same for a domain in normal form that is not there yet, inside a change. */
struct status rcpthosts_insert(struct tables *t, struct str domain, const struct rcpthost *host);
/* Refused while the domain is one end of a domain alias.  The text of the success says whose mail ends with it (mailbox.h). */
struct status rcpthosts_del(struct tables *t, struct str domain);
/* An alias domain whose alias has gone, inside a change; none is fine. */
struct status rcpthosts_delete_alias(struct tables *t, struct str domain);
struct status rcpthosts_list(struct tables *t, void (*row)(void *context, const struct rcpthost_row *r), void *context);

#endif

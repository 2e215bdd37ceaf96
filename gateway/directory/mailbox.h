/*
 * mailbox - the rules that a user with a mailbox meets: its name, home and quota, its domain, and the domain's catch-all.
 *
 * The home of user@domain is BASE/d/domain/u/user.  What changes a table does so inside a change (tables.h).
 */
#ifndef DIRECTORY_MAILBOX_H
#define DIRECTORY_MAILBOX_H

#include "base/buf.h"
#include "directory/tables.h"

/* LOGIN (names.h) may be the address of a mailbox: its parts become names of folders, and Dovecot cuts a detail off before it looks for the
 * user.  DELIMITER: stands before a detail, '\0': there are none. */
struct status mailbox_check_login(struct str login, char delimiter);
/* "512K", "200M", "1G", or bytes, as typed; appends it as Dovecot's quota rules have it. */
struct status mailbox_read_quota(struct str text, struct buf *to);
void mailbox_write_quota(int64_t bytes, struct buf *to);
/* The home of LOGIN, which was checked, below its base: "d/domain/u/user". */
void mailbox_write_home(struct str login, struct buf *to);
/* The same behind BASE. */
void mailbox_join_home(struct str base, struct str login, struct buf *to);

/* The domain takes mail for mailboxes of its own from now on; refused where it is a remote or an alias one. */
struct status mailbox_make_domain_local(struct tables *t, struct str domain);
/* Refused where somebody but LOGIN is the catch-all of DOMAIN. */
struct status mailbox_check_only_catchall(struct tables *t, struct str domain, struct str login);
/* Success; its text says so where DOMAIN is local and has neither mailboxes nor aliases any more. */
struct status mailbox_note_domain(struct tables *t, struct str domain);
/* Success; its text says how many mailboxes and aliases are of DOMAIN, which is no rcpthost any more, if there are any. */
struct status mailbox_note_rest(struct tables *t, struct str domain);

#endif

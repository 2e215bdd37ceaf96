/*
 * mailboxes - the addresses in the body of a From field (RFC 5322 section 3.4).
 *
 * Display names, comments, groups and folding are passed over; what is left of each mailbox must be an address.  What one program reads as
 * one address and another as another is not read at all: words with white space between them, a group without its end or with an address
 * for a name, a display name without quotes that holds another address than the one in brackets.  Strings live in the arena.
 */
#ifndef MESSAGE_MAILBOXES_H
#define MESSAGE_MAILBOXES_H

#include "smtp/path.h"

enum { MAILBOXES_MAX = 100 };

struct mailboxes {
    size_t count;
    struct path items[MAILBOXES_MAX];
};

/* False for what is no list of mailboxes, has none, or has more than MAILBOXES_MAX. */
bool mailboxes_read(struct mailboxes *m, struct str text, struct arena *arena);

#endif

/*
 * handover - a message as a command of this host reads it.
 *
 * Given fields stand in front; Return-Path fields that were there are gone (RFC 5321 section 4.4: there is one, that of the final
 * delivery); lines end in LF.  The copy is a file of its own without a name, in memory when it is small and in the scratch folder when it
 * is not, so a command may do with it what it likes.  Blocks for the disk.
 */
#ifndef MESSAGE_HANDOVER_H
#define MESSAGE_HANDOVER_H

#include "message/body.h"

/* How much of a header is looked at by handover_has_field. */
enum { HANDOVER_LOOK = 1 << 20 };

/* What a message says: all of it, or BODY by pieces where that is not NULL. */
struct handover {
    const char *tempdir;
    struct str fields; /* whole lines; or empty */
    struct str content;
    struct body *body;
};

/* The descriptor of the copy, at its start; -1 with a temporary status in *WHY. */
int handover_open(const struct handover *h, struct status *why);

/* One of the fields NAME (in lower case) has VALUE, whatever the case: as all of its text, or between < and > at its end. */
bool handover_has_field(const struct handover *h, const char *name, struct str value);

#endif

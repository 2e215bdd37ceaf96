/*
 * list - what a mini-list adds to the header of its members' copies (RFC 2919), and by which it knows a message that comes back.
 */
#ifndef DELIVERD_LIST_H
#define DELIVERD_LIST_H

#include "queue/claim.h"

/* For a member of LIST; nothing where LIST is empty. */
void list_fields(struct str list, struct buf *to);
/* The message has been through LIST: it has the fields already.  Where the content is with the claim BODY is not looked at. */
bool list_had_it(struct str list, const struct claimed *claimed, struct body *body);

#endif

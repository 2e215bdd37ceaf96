/*
 * senders - may who has logged in send from this address?
 *
 * The answer is the directory's (may_send_as).  The null sender belongs to everybody: reports come from it.  Blocks for the directory.
 */
#ifndef POLICY_SENDERS_H
#define POLICY_SENDERS_H

#include "base/status.h"
#include "directory/directory.h"
#include "smtp/path.h"

/* 2xx, 553 5.7.1, or 451 when the question could not be asked. */
struct status policy_sender(const struct directory *d, struct str login, const struct path *sender, struct arena *arena);

#endif

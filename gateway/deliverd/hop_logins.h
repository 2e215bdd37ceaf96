/*
 * hop_logins - which logins at next hops work, so that a backlog does not knock with a wrong password once a message.
 *
 * A login is a hop's key, whatever address its host has.  While nobody knows whether it works, one thread tries it and the others wait for what comes of it; one that
 * works stops nobody; one that failed is left alone for a while.  The table is fixed: a new entry takes the place of the oldest.  A failure counts against an attempt unless an
 * administrator asked for that attempt after it.  Any thread may call; logins_enter blocks up to LOGINS_TRIED_WAIT_MS, or until the process stops.
 */
#ifndef DELIVERD_HOP_LOGINS_H
#define DELIVERD_HOP_LOGINS_H

#include "base/status.h"

enum { LOGINS_TRIED_WAIT_MS = 60000 };

struct hop_logins;

struct hop_logins *hop_logins_new(int64_t remember_ms);
/* True: try it, and say hop_logins_leave.  False: *WHY it is left alone.  FLUSHED: clock_wall when an administrator asked, 0: never. */
bool hop_logins_enter(struct hop_logins *l, struct str key, int64_t flushed, struct status *why);

enum hop_login { HOP_LOGIN_UNTRIED, HOP_LOGIN_WORKS, HOP_LOGIN_FAILED };

/* WHY is for HOP_LOGIN_FAILED. */
void hop_logins_leave(struct hop_logins *l, struct str key, enum hop_login outcome, const struct status *why);

#endif

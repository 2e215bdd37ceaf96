/*
 * hop_logins - which logins at next hops work, so that a backlog does not knock with a wrong password once a message.
 *
 * A login is a hop's key, whatever address its host has.  While nobody knows whether it works, one thread tries it and the others wait for
 * what comes of it; one that works stops nobody; one that failed is left alone for a while.  The table is fixed: a new entry takes the
 * place of the oldest.  A failure counts against an attempt unless an administrator asked for that attempt after it.  Any thread may call;
 * hop_logins_enter blocks up to LOGINS_TRIED_WAIT_MS, or until the process stops.
 */
#ifndef DELIVERD_HOP_LOGINS_H
#define DELIVERD_HOP_LOGINS_H

#include "base/status.h"

enum { LOGINS_TRIED_WAIT_MS = 60000 };

struct hop_logins;

struct hop_logins *hop_logins_new(int64_t remember_ms);
/* The login failed a while ago; *WHY is what was said then.  FLUSHED: clock_wall when an administrator asked, 0: never.  Does not block. */
bool hop_logins_have_failed(struct hop_logins *l, struct str key, int64_t flushed, struct status *why);

enum hop_turn {
    HOP_TURN_NONE, /* it has failed, or somebody is still trying it: *WHY */
    HOP_TURN_MINE, /* nobody knows: try it */
    HOP_TURN_FREE, /* it works */
};

enum hop_login { HOP_LOGIN_UNTRIED, HOP_LOGIN_WORKS, HOP_LOGIN_FAILED };

enum hop_turn hop_logins_enter(struct hop_logins *l, struct str key, int64_t flushed, struct status *why);
/* After HOP_TURN_MINE or HOP_TURN_FREE.  WHY is for HOP_LOGIN_FAILED. */
void hop_logins_leave(struct hop_logins *l, struct str key, enum hop_turn turn, enum hop_login outcome, const struct status *why);

#endif

/*
 * hosts - next hops that could not be reached a moment ago.
 *
 * An address that refused or did not answer a connection is not tried again for a while, so that a backlog does not knock at a closed door
 * once a message.  The memory is a fixed table: a new entry takes the place of an old one.  An entry counts against an attempt unless an
 * administrator asked for that attempt after the host was found dead.  Any thread may call.
 */
#ifndef DELIVERD_HOSTS_H
#define DELIVERD_HOSTS_H

#include "base/status.h"
#include "net/address.h"

struct hosts;

struct hosts *hosts_new(int64_t remember_ms);

/* Who cannot be reached, and from where. */
struct host {
    const struct address *address;
    const struct address *local; /* the source address; NULL: the system's choice */
};

void hosts_mark_dead(struct hosts *h, const struct host *host, const struct status *why);
void hosts_mark_alive(struct hosts *h, const struct host *host);
/* True when it is remembered as dead; *WHY is then the status of that time.  FLUSHED: clock_wall when an administrator asked, 0: never. */
bool hosts_is_dead(struct hosts *h, const struct host *host, int64_t flushed, struct status *why);

#endif

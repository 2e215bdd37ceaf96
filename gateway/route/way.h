/*
 * way - the way to a hop: its hosts, with their addresses and how they are to be protected.
 *
 * way_find asks which hosts there are: the one that a route names, or the MX of a destination.  way_look asks for one host's addresses, its
 * TLSA records and, where those do not decide, for the destination's MTA-STS policy; so nothing is asked for hosts that nobody gets to, but
 * for the addresses of those with the same preference: where one of them is our own, and we listen on that port, all that are not preferred
 * to it are left out, for mail would go in circles (RFC 5321 section 5.1).  The deliverer and `tmail explain` call the same functions.
 *
 * Both block for the DNS, each question up to TMAIL_DNS_TIMEOUT and all of a way up to three times that, and for the fetch of a policy.  All
 * lives in the caller's arena.
 */
#ifndef ROUTE_WAY_H
#define ROUTE_WAY_H

#include "conf/listeners.h"
#include "route/mx.h"
#include "route/protection.h"

/* Shared by all threads. */
struct way_means {
    const struct conf *conf;
    struct dns *dns;
    struct sts *sts; /* NULL: TMAIL_MTA_STS is false */
    struct listeners listeners; /* of TMAIL_SMTPD_DSNS: who connects there speaks to us */
};

struct way_host {
    const char *name;
    unsigned preference;
    bool resolved, looked;
    struct status status; /* after way_look: 2xx, or why it cannot be tried */
    struct resolved found;
    struct protection protection;
};

struct way {
    struct status status; /* 2xx: there are hosts; 4xx, 5xx: there are none, now or ever */
    const struct hop *hop;
    bool is_mx;
    struct mx mx;          /* with is_mx */
    struct sts_answer sts; /* with is_mx and has_sts */
    bool has_sts;          /* it was asked for */
    struct way_host *hosts;
    size_t count;
    int64_t left;          /* ms that may still be waited for the DNS: slow hosts, and there may be many, hold up nobody for ever */
};

/* What CONF says, opened; STORES: policies that are fetched are kept.  False with the reason in ERROR; way_means_close is due in either
 * case, where M is ever closed. */
bool way_means_open(struct way_means *m, const struct conf *conf, bool stores, struct arena *arena, char *error, size_t error_size);
void way_means_close(struct way_means *m);

void way_find(struct way *w, const struct way_means *means, const struct hop *hop, struct arena *arena);
/* Fills W->hosts[HOST]; may take away hosts behind it, or itself: then W->count is HOST or less, and where it is 0, W->status says why. */
void way_look(struct way *w, size_t host, const struct way_means *means, struct arena *arena);

#endif

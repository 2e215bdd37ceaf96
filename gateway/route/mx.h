/*
 * mx - the hosts that take mail for a domain, in the order to try them (RFC 5321 section 5.1).
 *
 * The MX records by preference, equal ones in random order; the domain itself where it has none; nobody where its one record says so (RFC
 * 7505).  Where we are one of them ourselves, by name, we and all that are not preferred to us are left out, for mail must come nearer.
 * Aliases of the domain are followed by the DNS.  mx_find blocks for it up to the deadline.
 */
#ifndef ROUTE_MX_H
#define ROUTE_MX_H

#include "base/status.h"
#include "net/dns.h"

enum { MX_MOST = 64 };

struct mx_host {
    const char *name;
    unsigned preference;
};

struct mx {
    struct status status; /* 2xx: there are hosts.  4xx: the DNS failed.  5xx: there will be none: 5.1.2, 5.1.10, 5.4.6 */
    bool implicit;        /* the domain has no MX record */
    bool secure;          /* the answer, or the proof that there is none, is */
    bool null;
    const char *canonical; /* the name at the end of the domain's aliases; the domain where there are none */
    struct mx_host *hosts;
    size_t count;
    bool was_cut;         /* by finding ourselves */
};

/* DOMAIN in normal form; ME is our name. */
void mx_find(struct mx *mx, struct dns *dns, const char *domain, const char *me, int64_t deadline, struct arena *arena);
/* What mx_find makes of an answer to the question for DOMAIN's MX; blocks for nothing. */
void mx_read(struct mx *mx, const char *domain, const char *me, const struct dns_answer *answer, struct arena *arena);
/* DOMAIN says that it takes no mail.  A DNS that fails is no. */
bool mx_is_null(struct dns *dns, const char *domain, int64_t deadline);

#endif

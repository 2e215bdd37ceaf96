/*
 * protection - how a connection to one host is to be protected, and who says so.
 *
 * A route's own TLS rule, or its login, decides alone.  Else the configuration's rule counts, and what the other side publishes comes on
 * top: DANE (RFC 7672) where the MX record, the host's addresses and its TLSA records are proven by DNSSEC, else the domain's MTA-STS policy
 * (RFC 8461), which never weakens DANE and is never weakened by it where its records are of no use.  TMAIL_DELIVERD_REMOTE_TLS=none turns
 * both off.  The same function answers `tmail explain` and the deliverer.  Blocks for the DNS.
 */
#ifndef ROUTE_PROTECTION_H
#define ROUTE_PROTECTION_H

#include "conf/conf.h"
#include "net/resolve.h"
#include "route/route.h"
#include "route/sts.h"
#include "route/tls_failure.h"

enum protection_origin { PROTECTION_CONFIGURATION, PROTECTION_ROUTE, PROTECTION_LMTP, PROTECTION_LOGIN, PROTECTION_DANE, PROTECTION_STS };

/* What is known of a TLSA lookup. */
enum dane_state {
    DANE_OFF,      /* not asked: turned off, or a rule of the route decides */
    DANE_INSECURE, /* MX record, addresses or TLSA answer are not proven */
    DANE_NONE,     /* proven that there are no records */
    DANE_UNUSABLE, /* records, none of which can be used: TLS with any certificate (RFC 7672 section 2.2) */
    DANE_USABLE,
    DANE_FAILED,   /* the DNS failed or lied: the host must not be used (RFC 7672 section 2.1.2) */
};

struct protection {
    struct status status; /* 2xx; else the host cannot be used now, and why */
    enum tls_failure failure; /* what to report of the host before it was spoken to; it may be used all the same */
    enum tls_policy policy;
    enum protection_origin origin;
    bool from_first_byte;
    bool may_fall_back;   /* to plain text, when TLS fails */
    struct tls_wanted wanted;
    enum dane_state dane;
    const char *tlsa_name; /* where the TLSA records stand or would stand; NULL: not asked */
    struct dns_tlsa *tlsa; /* all that were published, usable or not */
    size_t tlsa_count;
    bool heeds;           /* what others publish counts */
};

/* What stands behind it for a host; all borrowed. */
struct protection_question {
    const struct conf *conf;
    struct dns *dns;
    const struct hop *hop;
    const char *domain;           /* the destination; NULL: the hop names its host, and no MX was asked */
    const char *canonical;        /* the name that DOMAIN is an alias of; DOMAIN itself where it is none */
    bool mx_secure;
    const char *host;
    const struct resolved *found; /* its addresses */
    int64_t deadline;
};

/* What others publish counts for this hop. */
bool protection_heeds(const struct conf *conf, const struct hop *hop);
/* All but MTA-STS, which need not be asked for where it would change nothing. */
void protection_find(struct protection *p, const struct protection_question *question, struct arena *arena);
bool protection_wants_sts(const struct protection *p);
/* STS is what was found for the destination DOMAIN. */
void protection_add_sts(struct protection *p, const struct sts_answer *sts, const char *domain, const char *host);
/* "route", "configuration", "login", "dane", "mta-sts". */
const char *protection_origin_name(enum protection_origin origin);
const char *dane_state_name(enum dane_state state);

#endif

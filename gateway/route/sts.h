/*
 * sts - the MTA-STS policy of a domain: asked for, fetched, remembered, refreshed (RFC 8461 sections 3.3, 5.1, 10.2).
 *
 * sts_find asks the DNS for the record, each time, because its TTL is the domain's; and the database for the policy.  A policy that is
 * there and not too old counts, whatever becomes of the record or of the web server: who can suppress those could else undo it.  Another
 * id in the record has it fetched anew over HTTPS; so has age, with or without a record, beside.  One thread fetches a domain's policy at
 * a time and the others wait for it; where one that counts is there, nobody waits but the thread that fetches.  A fetch that failed is
 * not tried again for five minutes.  Warnings say when a policy that counts cannot be fetched (sts-not-fetched), when its record is gone
 * (sts-record-gone), and when mail has to do without one that was enforced and has expired (sts-expired, once).  What is remembered in
 * memory is bounded; the database is the directory's (table sts_policies).
 *
 * Blocks for the DNS, the database, and for a fetch, up to the deadline; a fetch ends when the process is told to stop.  Any thread may
 * call.
 */
#ifndef ROUTE_STS_H
#define ROUTE_STS_H

#include "net/dns.h"
#include "route/sts_policy.h"

struct sts;

/* Reads nothing yet.  DNS_TIMEOUT: the milliseconds that the question for a record may take.  CA_FILE as net/http has it.  READ_ONLY: what
 * is fetched is not stored (`tmail explain`). */
struct sts *sts_new(const char *db_path, struct dns *dns, int64_t dns_timeout, const char *ca_file, bool read_only);
/* Nobody asks any more.  Waits for what is being fetched beside. */
void sts_free(struct sts **s);

enum sts_trouble {
    STS_FINE,
    STS_FETCH,   /* the record is there, the policy cannot be fetched; or "stopping": nothing is known, and the mail must wait */
    STS_WEBPKI,  /* because of the web server's certificate */
    STS_INVALID, /* because it is no policy, or there is more than one record */
    STS_DATABASE, /* the database could not be asked: whether there is a policy is not known, and the mail must wait */
};

enum { STS_REASON_SIZE = 256 };

struct sts_answer {
    bool found;                /* `policy` counts; its mode may be none */
    struct sts_policy policy;  /* in the arena of the call */
    char id[STS_ID_SIZE];
    int64_t expires;           /* unix time */
    enum sts_trouble trouble;  /* also with a policy of before */
    char reason[STS_REASON_SIZE]; /* of the trouble, printable */
};

/* DOMAIN in normal form. */
void sts_find(struct sts *s, const char *domain, int64_t deadline, struct arena *arena, struct sts_answer *answer);

#endif

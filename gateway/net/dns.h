/*
 * dns - questions to the DNS, validated by DNSSEC.
 *
 * A struct dns is one context of libunbound with its thread and its cache, which all threads of a process share.  dns_ask blocks until the
 * answer is there or the deadline is over, whichever comes first.  An answer is `secure` when signatures up from a trust anchor prove it;
 * that nothing is there is proven in the same way.  What is not secure comes from a zone that is not signed, or nothing is validated.  An
 * answer that ought to be signed and is not is bogus: it is DNS_FAILED and hands out no data.
 *
 * While the resolvers are silent (several questions have run out of time since the last answer, and that is some seconds old), a question
 * is waited for half a second at most, and when many are under way it fails at once: a backlog does not wait for each of its questions.
 * What is cached is still found, and any answer that comes ends the silence.  What is under way, what is cached and what an answer may hold
 * are bounded.
 */
#ifndef NET_DNS_H
#define NET_DNS_H

#include "base/arena.h"
#include "base/buf.h"

/* Of the wire (RFC 1035 section 3.2.2, RFC 3596, RFC 6698). */
enum dns_type { DNS_A = 1, DNS_CNAME = 5, DNS_PTR = 12, DNS_MX = 15, DNS_TXT = 16, DNS_AAAA = 28, DNS_TLSA = 52 };

enum dns_outcome {
    DNS_FOUND,
    DNS_NO_DATA, /* the name is there, but has nothing of that type */
    DNS_NO_NAME, /* NXDOMAIN */
    DNS_FAILED,  /* no answer, or one that is not to be trusted; `reason` says */
};

enum { DNS_REASON_SIZE = 256, DNS_RECORDS_MOST = 256, DNS_NAME_SIZE = 256 };

struct dns_answer {
    enum dns_outcome outcome;
    bool secure;
    bool bogus;             /* DNS_FAILED, because validation failed */
    bool timed_out;         /* DNS_FAILED, because nobody answered in time */
    int64_t ttl;            /* seconds */
    const char *canonical;  /* the name at the end of the aliases (CNAME), in normal form; that of the question when there are none */
    struct str *records;    /* data of the wire, names in it uncompressed (net/dns_records.h reads it); at most DNS_RECORDS_MOST */
    size_t count;
    char reason[DNS_REASON_SIZE]; /* printable, one line */
};

/* Files of the host that is asked from; "" where it has none. */
struct dns_host_files {
    const char *resolv_conf, *hosts, *root_key;
};

struct dns_settings {
    const char *forward;      /* as dns_check_forward takes it; "": the resolvers of the host, with its hosts file */
    const char *trust_anchor; /* file; "": the root keys of 2017 and 2024, and those that the host has */
    const char *unbound_conf; /* file; "": none */
    bool validate;
    const struct dns_host_files *host; /* NULL: /etc/resolv.conf, /etc/hosts and dns_find_trust_anchor; tests have their own */
};

struct dns;

/* IP[@PORT] separated by `,` or `;`, or `root`, or nothing; false with a line in PROBLEMS. */
bool dns_check_forward(const char *text, struct buf *problems);
/* Where distributions keep the root key: the first of those files that can be read, else "". */
const char *dns_find_trust_anchor(void);

/* Reads the files; asks nothing yet.  NULL with the reason in ERROR, naming the file.  A bad file of the host is no such reason: then the
 * log has a warning. */
struct dns *dns_open(const struct dns_settings *settings, char *error, size_t error_size);
/* Nobody may be asking any more. */
void dns_close(struct dns **d);

/* NAME is a domain name in text (a final dot may be there); one that cannot be a name is DNS_NO_NAME, not secure.  ANSWER and what it
 * points to live in ARENA.  Also ends when the grace of a stop is over (base/stop.h). */
void dns_ask(struct dns *d, const char *name, enum dns_type type, int64_t deadline, struct arena *arena, struct dns_answer *answer);
/* Asks without waiting, so that a dns_ask that follows finds the answer sooner; does nothing while the resolvers are silent or many
 * questions are under way. */
void dns_prefetch(struct dns *d, const char *name, enum dns_type type);

#endif

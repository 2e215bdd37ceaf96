/*
 * tls_report_address - where a domain wants its TLS reports: the TXT record at _smtp._tls.DOMAIN (RFC 8460 section 3).
 *
 * What stands there is a stranger's.  A record is used when it is the only one that begins with `v=TLSRPTv1;` and holds an rua that can be
 * read; of its URIs those that are mail addresses in ASCII and https URLs of a host with a name count, each once, the first
 * TLS_REPORT_ADDRESSES_MOST of them.
 */
#ifndef REPORT_TLS_REPORT_ADDRESS_H
#define REPORT_TLS_REPORT_ADDRESS_H

#include "base/arena.h"
#include "net/dns.h"
#include "smtp/path.h"

enum { TLS_REPORT_ADDRESSES_MOST = 8, TLS_REPORT_URL_MOST = 1024 };

struct tls_report_addresses {
    struct path mail[TLS_REPORT_ADDRESSES_MOST];
    const char *https[TLS_REPORT_ADDRESSES_MOST];
    size_t mail_count, https_count;
};

enum tls_report_asked {
    TLS_REPORT_WANTED,
    TLS_REPORT_NOT_WANTED, /* no such record, or none that can be used */
    TLS_REPORT_UNKNOWN,    /* the DNS did not say; `reason` does */
};

/* TEXTS are the TXT records at the name.  What is found lives in ARENA.  Pure. */
bool tls_report_address_read(const struct str *texts, size_t count, struct arena *arena, struct tls_report_addresses *found);
/* Asks for them, up to DEADLINE. */
enum tls_report_asked tls_report_address_ask(struct dns *dns, const char *domain, int64_t deadline, struct arena *arena,
                                             struct tls_report_addresses *found, char reason[DNS_REASON_SIZE]);

#endif

/*
 * dns_records - the data of DNS records, read from the wire form that net/dns hands out.
 *
 * What others wrote into their zones is hostile input: a function returns false for a record that is cut short, too long, or has a name
 * that no host of mail can have (letters, digits, hyphens, underscores; RFC 5321 section 2.3.5), and nothing is read past the end.  Names
 * come out as domain_normalize writes ASCII names: lower case, no final dot.  Pure functions.
 */
#ifndef NET_DNS_RECORDS_H
#define NET_DNS_RECORDS_H

#include "net/address.h"
#include "net/dns.h"

struct dns_mx {
    unsigned preference;
    char host[DNS_NAME_SIZE]; /* "": the root, which is no host (RFC 7505) */
};

struct dns_tlsa {
    unsigned char usage, selector, matching;
    struct str data; /* borrowed from the record */
};

/* Of CNAME and PTR records; "" for the root. */
bool dns_read_name(struct str record, char to[DNS_NAME_SIZE]);
bool dns_read_mx(struct str record, struct dns_mx *mx);
bool dns_read_tlsa(struct str record, struct dns_tlsa *tlsa);
/* "3 1 1 0123…", as zone files have it; data beyond a size that is of use is cut. */
void dns_write_tlsa(const struct dns_tlsa *tlsa, struct buf *to);
/* A or AAAA; its port is 0. */
bool dns_read_address(struct str record, enum dns_type type, struct address *address);
/* The strings of a TXT record, joined (RFC 7208 section 3.3, RFC 8461 section 3.1). */
bool dns_read_txt(struct str record, struct buf *to);

/* The name under which the PTR record of ADDRESS stands: "1.2.0.192.in-addr.arpa", or 32 nibbles and ip6.arpa. */
void dns_reverse_name(const struct address *address, char to[DNS_NAME_SIZE]);

#endif

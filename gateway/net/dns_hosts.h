/*
 * dns_hosts - /etc/hosts: addresses of names, which come before those in the DNS.
 *
 * A name that is in the file has the addresses that stand there and no others, of either family; of everything else (MX, TXT, …) the file
 * says nothing.  Lines that cannot be read are passed over, and so is what is beyond 1 MB or 10,000 names: then the log has a warning.
 * `localhost` is not taken from it (RFC 6761 section 6.3).
 */
#ifndef NET_DNS_HOSTS_H
#define NET_DNS_HOSTS_H

#include "net/dns.h"

struct dns_hosts;

/* Reads the file, which need not be there. */
struct dns_hosts *dns_hosts_open(const char *path);
void dns_hosts_close(struct dns_hosts **h);

/* NAME is in normal form; H may be NULL, which has no name. */
bool dns_hosts_has(const struct dns_hosts *h, const char *name);
/* TYPE is DNS_A or DNS_AAAA, and H has NAME.  ANSWER keeps its canonical name; its records live in ARENA. */
void dns_hosts_answer(const struct dns_hosts *h, const char *name, enum dns_type type, struct arena *arena, struct dns_answer *answer);

#endif

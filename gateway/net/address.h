/*
 * address - an IP address with a port, and networks of them.
 *
 * A struct address is a value: IPv4 or IPv6, port in host order (0: none).  IPv4-mapped IPv6 addresses become IPv4 when they come in, so
 * that one client has one address.  Text forms are those of RFC 5952; with a port IPv6 stands in brackets.  Nothing here asks DNS.
 */
#ifndef NET_ADDRESS_H
#define NET_ADDRESS_H

#include "base/str.h"

#include <netinet/in.h>
#include <sys/socket.h>

struct address {
    int family; /* AF_INET, AF_INET6; AF_UNSPEC in a zeroed struct */
    uint16_t port;
    uint32_t scope; /* IPv6 link-local zone, 0: none */
    unsigned char bytes[16]; /* 4 or 16 in use */
};

enum { ADDRESS_TEXT_SIZE = 80 };

bool address_parse(struct address *a, struct str text);           /* "192.0.2.1", "2001:db8::1" */
void address_text(const struct address *a, char *to);             /* without the port */
void address_text_port(const struct address *a, char *to);
/* As SMTP writes it (RFC 5321 section 4.1.3): [192.0.2.1], [IPv6:2001:db8::1]. */
void address_literal(const struct address *a, char *to);

bool address_equal(const struct address *a, const struct address *b); /* without the port */
bool address_is_any(const struct address *a);                        /* 0.0.0.0, :: */
bool address_is_loopback(const struct address *a);
/* What counts as one client: an IPv4 address, or the /64 of an IPv6 one, for whoever has one address there has them all. */
void address_client(const struct address *a, unsigned char to[16]);

void address_from_socket(struct address *a, const struct sockaddr_storage *s);
socklen_t address_to_socket(const struct address *a, struct sockaddr_storage *s);

/* The 16 bytes of A as IPv6, IPv4 mapped (RFC 4291 section 2.5.5.2), and the first and last such bytes of the network of A with LENGTH
 * bits. */
void address_bytes16(const struct address *a, unsigned char to[16]);
void address_range(const struct address *a, int length, unsigned char first[16], unsigned char last[16]);
/* "192.0.2.0/24" or one address (all bits).  False for host bits set behind the prefix or nonsense. */
bool address_parse_network(struct address *a, int *length, struct str text);

#endif

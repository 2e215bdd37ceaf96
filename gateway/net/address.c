#include "net/address.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

static int address_width(const struct address *a)
{
    return a->family == AF_INET ? 4 : 16;
}

/* ::ffff:192.0.2.1 is 192.0.2.1 (RFC 4291 section 2.5.5.2). */
static void unmap(struct address *a)
{
    static const unsigned char prefix[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

    if (a->family != AF_INET6 || memcmp(a->bytes, prefix, sizeof prefix) != 0)
        return;
    a->family = AF_INET;
    a->scope = 0;
    memmove(a->bytes, a->bytes + 12, 4);
    memset(a->bytes + 4, 0, 12);
}

bool address_parse(struct address *a, struct str text)
{
    char copy[INET6_ADDRSTRLEN];

    *a = (struct address){.family = AF_UNSPEC};
    if (!str_copy(text, copy, sizeof copy))
        return false;
    if (inet_pton(AF_INET, copy, a->bytes) == 1)
        a->family = AF_INET;
    else if (inet_pton(AF_INET6, copy, a->bytes) == 1)
        a->family = AF_INET6;
    unmap(a);
    return a->family != AF_UNSPEC;
}

void address_text(const struct address *a, char *to)
{
    if (a->family == AF_UNSPEC || inet_ntop(a->family, a->bytes, to, ADDRESS_TEXT_SIZE) == NULL)
        snprintf(to, ADDRESS_TEXT_SIZE, "unknown");
}

void address_text_port(const struct address *a, char *to)
{
    char host[ADDRESS_TEXT_SIZE];

    address_text(a, host);
    snprintf(to, ADDRESS_TEXT_SIZE, a->family == AF_INET6 ? "[%.64s]:%u" : "%.64s:%u", host, (unsigned)a->port);
}

void address_literal(const struct address *a, char *to)
{
    char host[ADDRESS_TEXT_SIZE];

    address_text(a, host);
    snprintf(to, ADDRESS_TEXT_SIZE, a->family == AF_INET6 ? "[IPv6:%.64s]" : "[%.64s]", host);
}

bool address_equal(const struct address *a, const struct address *b)
{
    return a->family == b->family && a->scope == b->scope && memcmp(a->bytes, b->bytes, sizeof a->bytes) == 0;
}

bool address_is_any(const struct address *a)
{
    static const unsigned char zero[16];

    return memcmp(a->bytes, zero, sizeof zero) == 0;
}

bool address_is_loopback(const struct address *a)
{
    static const unsigned char loopback6[16] = {[15] = 1};

    return a->family == AF_INET ? a->bytes[0] == 127 : memcmp(a->bytes, loopback6, sizeof loopback6) == 0;
}

void address_from_socket(struct address *a, const struct sockaddr_storage *s)
{
    *a = (struct address){.family = s->ss_family};
    if (s->ss_family == AF_INET) {
        struct sockaddr_in in;

        memcpy(&in, s, sizeof in);
        memcpy(a->bytes, &in.sin_addr, 4);
        a->port = ntohs(in.sin_port);
    } else if (s->ss_family == AF_INET6) {
        struct sockaddr_in6 in6;

        memcpy(&in6, s, sizeof in6);
        memcpy(a->bytes, &in6.sin6_addr, 16);
        a->port = ntohs(in6.sin6_port);
        a->scope = in6.sin6_scope_id;
        unmap(a);
    } else {
        a->family = AF_UNSPEC;
    }
}

socklen_t address_to_socket(const struct address *a, struct sockaddr_storage *s)
{
    memset(s, 0, sizeof *s);
    if (a->family == AF_INET) {
        struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(a->port)};

        memcpy(&in.sin_addr, a->bytes, 4);
        memcpy(s, &in, sizeof in);
        return sizeof in;
    } else {
        struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(a->port), .sin6_scope_id = a->scope};

        memcpy(&in6.sin6_addr, a->bytes, 16);
        memcpy(s, &in6, sizeof in6);
        return sizeof in6;
    }
}

void address_bytes16(const struct address *a, unsigned char to[16])
{
    memset(to, 0, 16);
    if (a->family == AF_INET) {
        to[10] = to[11] = 0xff;
        memcpy(to + 12, a->bytes, 4);
    } else {
        memcpy(to, a->bytes, 16);
    }
}

void address_client(const struct address *a, unsigned char to[16])
{
    address_bytes16(a, to);
    if (a->family == AF_INET6)
        memset(to + 8, 0, 8);
}

void address_range(const struct address *a, int length, unsigned char first[16], unsigned char last[16])
{
    int bits = length + (16 - address_width(a)) * 8;

    address_bytes16(a, first);
    memcpy(last, first, 16);
    for (int bit = bits; bit < 128; bit++) {
        first[bit / 8] = (unsigned char)(first[bit / 8] & ~(0x80 >> bit % 8));
        last[bit / 8] = (unsigned char)(last[bit / 8] | (0x80 >> bit % 8));
    }
}

bool address_parse_network(struct address *a, int *length, struct str text)
{
    size_t slash = str_find(text, '/', 0);
    unsigned char first[16], last[16], own[16];
    uint64_t bits;

    if (!address_parse(a, str_part(text, 0, slash)))
        return false;
    bits = (uint64_t)address_width(a) * 8;
    if (slash < text.length && !str_number(str_from(text, slash + 1), bits, &bits))
        return false;
    *length = (int)bits;
    address_range(a, *length, first, last);
    address_bytes16(a, own);
    return memcmp(first, own, 16) == 0;
}

#include "net/reverse.h"

#include "net/dns_records.h"

#include <stdio.h>

/* Who has one address rarely has more names; the time is the client's. */
enum { NAMES_MOST = 4 };

static bool has_address(struct dns *dns, const char *name, const struct address *client, int64_t deadline, struct arena *arena)
{
    const enum dns_type type = client->family == AF_INET ? DNS_A : DNS_AAAA;
    struct dns_answer answer;
    struct address address;

    dns_ask(dns, name, type, deadline, arena, &answer);
    for (size_t i = 0; i < answer.count; i++)
        if (dns_read_address(answer.records[i], type, &address) && address_equal(&address, client))
            return true;
    return false;
}

static void find_name(struct dns *dns, const struct address *client, int64_t deadline, struct arena *arena, char to[DNS_NAME_SIZE])
{
    struct dns_answer answer;

    dns_reverse_name(client, to);
    dns_ask(dns, to, DNS_PTR, deadline, arena, &answer);
    for (size_t i = 0; i < answer.count && i < NAMES_MOST; i++)
        if (dns_read_name(answer.records[i], to) && to[0] != '\0' && has_address(dns, to, client, deadline, arena))
            return;
    to[0] = '\0';
}

void reverse_name(struct dns *dns, const struct address *client, int64_t deadline, char to[DNS_NAME_SIZE])
{
    struct arena arena;

    if (address_is_loopback(client)) {
        snprintf(to, DNS_NAME_SIZE, "localhost");
        return;
    }
    arena_init(&arena);
    find_name(dns, client, deadline, &arena, to);
    arena_done(&arena);
}

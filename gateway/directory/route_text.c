#include "directory/route_text.h"

#include <stdio.h>
#include <string.h>

const char *route_list_read(struct str text, struct route_list *list)
{
    const bool in_order = str_has(text, '&');
    struct str item;

    *list = (struct route_list){.in_turn = str_has(text, '|')};
    if (in_order && list->in_turn)
        return "mixed & and | are not allowed in routes (expected one of them in a list)";
    while (str_cut_any(&text, "&|", &item)) {
        if (item.length == 0)
            return "empty item in a list (expected an item on each side of & and |)";
        if (list->count == ROUTE_ITEMS_MAX)
            return "too many items in a list (expected at most 100)";
        list->items[list->count++] = item;
    }
    return NULL;
}

static struct str without_brackets(struct str text)
{
    if (text.length > 2 && str_starts(text, STR("[")) && str_ends(text, STR("]")))
        return str_part(text, 1, text.length - 2);
    return text;
}

static bool read_ip(struct str text, char *to)
{
    struct address a;
    bool ok = address_parse(&a, without_brackets(text)) || domain_is_literal(text, &a);

    if (ok)
        address_text(&a, to);
    return ok;
}

const char *route_locals_read(struct str text, struct buf *to)
{
    struct route_list list;
    const char *wrong = route_list_read(text, &list);
    char ip[ADDRESS_TEXT_SIZE];

    for (size_t i = 0; wrong == NULL && i < list.count; i++) {
        if (!read_ip(list.items[i], ip))
            return "a local address is no IP address (expected such as 192.0.2.1 or 2001:db8::1)";
        if (i > 0)
            buf_add_byte(to, list.in_turn ? '|' : '&');
        buf_add_text(to, ip);
    }
    return wrong;
}

/* Digits and dots alone are an address that went wrong, not a name. */
static bool is_numeric(struct str text)
{
    for (size_t i = 0; i < text.length; i++)
        if (text.data[i] != '.' && (text.data[i] < '0' || text.data[i] > '9'))
            return false;
    return true;
}

#define LMTP "lmtp:"

bool route_remote_is_lmtp(const char *remote)
{
    return str_starts(str_of(remote), STR(LMTP));
}

bool route_lmtp_endpoint(const char *remote, struct endpoint *e, struct arena *arena)
{
    return route_remote_is_lmtp(remote) && endpoint_parse(e, str_of(remote + sizeof LMTP - 1), arena);
}

/* In the form in which the table has it, without inet:. */
static const char *read_lmtp(struct str text, char *to)
{
    struct arena arena;
    struct endpoint e;
    bool ok;

    arena_init(&arena);
    ok = endpoint_parse(&e, str_from(text, sizeof LMTP - 1), &arena);
    if (ok && e.path != NULL)
        snprintf(to, DOMAIN_SIZE, LMTP "unix:%s", e.path);
    else if (ok)
        ok = snprintf(to, DOMAIN_SIZE, strchr(e.host, ':') != NULL ? LMTP "[%s]:%d" : LMTP "%s:%d", e.host, e.port) < DOMAIN_SIZE;
    arena_done(&arena);
    return ok ? NULL : "bad LMTP host (expected lmtp:unix:/path or lmtp:HOST:PORT)";
}

const char *route_remote_read(struct str text, char *to)
{
    if (str_starts(text, STR(LMTP)))
        return read_lmtp(text, to);
    if (read_ip(text, to) || (!is_numeric(text) && domain_normalize(text, to)))
        return NULL;
    return "bad remote host (expected a host name, an IP address, mx, lmtp:unix:/path or lmtp:HOST:PORT)";
}

const char *route_remote_port_read(struct str text, char *to, int *port)
{
    size_t colon = text.length;
    uint64_t number;
    struct str host;

    *port = SMTP_PORT;
    if (str_equal_nocase(text, STR("mx")))
        return route_remote_read(text, to);
    while (colon > 0 && text.data[colon - 1] != ':')
        colon--;
    if (colon == 0 || (str_has(text, ']') && text.data[text.length - 1] == ']'))
        return "remote host without a port (expected HOST:PORT, [IPv6]:PORT or mx)";
    host = str_part(text, 0, colon - 1);
    if (!str_number(str_from(text, colon), 65535, &number) || number == 0)
        return "bad port (expected 1 to 65535)";
    *port = (int)number;
    if (str_has(host, ':') && !str_starts(host, STR("[")))
        return "IPv6 address without brackets (expected [IPv6]:PORT)";
    if (str_equal_nocase(host, STR("mx")))
        return "mx with a port (expected mx alone)";
    return route_remote_read(host, to);
}

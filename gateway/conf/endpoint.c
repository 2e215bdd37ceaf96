#include "conf/endpoint.h"

#include "net/address.h"
#include "smtp/domain.h"

enum { PORT_MAX = 65535 };

static bool read_path(struct endpoint *e, struct str path, struct arena *arena)
{
    if (!str_starts(path, STR("/")) || path.length >= ENDPOINT_PATH_SIZE || str_has(path, '\0'))
        return false;
    e->path = arena_text(arena, path);
    return true;
}

static bool read_host(struct endpoint *e, struct str host, struct arena *arena)
{
    char normal[DOMAIN_SIZE];
    struct address address;

    if (str_starts(host, STR("[")) && str_ends(host, STR("]")))
        host = str_part(host, 1, host.length - 2);
    else if (str_has(host, ':'))
        return false;
    if (address_parse(&address, host)) {
        e->host = arena_text(arena, host);
        return true;
    }
    if (!domain_normalize(host, normal))
        return false;
    e->host = arena_text(arena, str_of(normal));
    return true;
}

static bool read_host_and_port(struct endpoint *e, struct str text, struct arena *arena)
{
    size_t colon = text.length;
    uint64_t port;

    while (colon > 0 && text.data[colon - 1] != ':')
        colon--;
    if (colon == 0 || !str_number(str_from(text, colon), PORT_MAX, &port) || port == 0)
        return false;
    e->port = (int)port;
    return read_host(e, str_part(text, 0, colon - 1), arena);
}

bool endpoint_parse(struct endpoint *e, struct str text, struct arena *arena)
{
    static const struct str unix_prefix = {"unix:", 5}, inet_prefix = {"inet:", 5};

    *e = (struct endpoint){0};
    if (str_starts(text, unix_prefix))
        return read_path(e, str_from(text, unix_prefix.length), arena);
    if (str_starts(text, inet_prefix))
        text = str_from(text, inet_prefix.length);
    return read_host_and_port(e, text, arena);
}

bool endpoints_parse(struct endpoints *e, struct str text, struct arena *arena)
{
    struct str item;

    e->count = 0;
    while (str_cut_any(&text, ";,", &item)) {
        item = str_trim(item);
        if (item.length == 0)
            continue;
        if (e->count == ENDPOINTS_MAX || !endpoint_parse(&e->items[e->count], item, arena))
            return false;
        e->count++;
    }
    return e->count > 0;
}

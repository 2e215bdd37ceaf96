#include "conf/listeners.h"

#include "conf/value.h"

#include <stdio.h>

static bool refuse(struct buf *errors, struct str item, const char *problem)
{
    value_quote(errors, item);
    buf_print(errors, " %s\n", problem);
    return false;
}

static bool cut_bracketed(struct str *rest, struct str *ip)
{
    size_t end = str_find(*rest, ']', 0);

    if (end == rest->length)
        return false;
    *ip = str_part(*rest, 1, end - 1);
    *rest = str_from(*rest, end + 1);
    if (rest->length > 0 && rest->data[0] != ':')
        return false;
    *rest = rest->length > 0 ? str_from(*rest, 1) : (struct str){NULL, 0};
    return true;
}

static bool read_address(struct listener_spec *l, struct str item, struct str *rest, struct buf *errors)
{
    bool bracketed = str_starts(item, STR("["));
    struct str ip, port;
    uint64_t number;

    *rest = item;
    if (bracketed ? !cut_bracketed(rest, &ip) : !str_cut(rest, ':', &ip))
        return refuse(errors, item, "has no address in brackets (expected IP:PORT:SSL, with IPv6 as [::1]:25:false)");
    if (address_parse(&l->address, item))
        return refuse(errors, item, "is an address and nothing else (expected IP:PORT:SSL, with IPv6 as [::1]:25:false)");
    if (!address_parse(&l->address, ip) || bracketed != str_has(ip, ':'))
        return refuse(errors, item, "does not start with an IP address (expected IP:PORT:SSL, with IPv6 as [::1]:25:false)");
    if (!str_cut(rest, ':', &port))
        return refuse(errors, item, "has no PORT field (expected IP:PORT:SSL)");
    if (!str_number(port, 65535, &number) || number == 0)
        return refuse(errors, item, "has a bad PORT field (expected IP:PORT:SSL, with PORT from 1 to 65535)");
    l->address.port = (uint16_t)number;
    return true;
}

static bool read_mode(struct listener_spec *l, struct str item, struct str mode, struct buf *errors)
{
    const struct str proxy = STR("+proxy");

    l->proxy = str_ends(mode, proxy);
    if (l->proxy)
        mode.length -= proxy.length;
    if (str_equal(mode, STR("submission")))
        l->mode = LISTENER_SUBMISSION;
    else if (!str_equal(mode, STR("relay")))
        return refuse(errors, item, "has an unknown MODE (expected IP:PORT:SSL[:MODE], with MODE relay or submission)");
    return true;
}

/* What the words of the file may say before this program can do it. */
static bool is_available(const struct listener_spec *l, struct str item, struct buf *errors)
{
    if (l->proxy)
        return refuse(errors, item,
                      "cannot be: +proxy needs PROXY protocol support, which this version does not have (expected MODE relay or submission)");
    return true;
}

static bool read_item(struct listener_spec *l, struct str item, struct buf *errors)
{
    struct str rest, field;

    if (!read_address(l, item, &rest, errors))
        return false;
    if (!str_cut(&rest, ':', &field))
        return refuse(errors, item, "has no SSL field (expected IP:PORT:SSL)");
    if (!value_read_bool(field, &l->tls))
        return refuse(errors, item, "has a bad SSL field (expected IP:PORT:SSL, with SSL true or false)");
    if (str_cut(&rest, ':', &field) && !read_mode(l, item, field, errors))
        return false;
    if (rest.data != NULL)
        return refuse(errors, item, "has too many fields (expected IP:PORT:SSL[:MODE])");
    return is_available(l, item, errors);
}

static bool is_listed(const struct listeners *l, const struct address *address)
{
    for (size_t i = 0; i < l->count; i++)
        if (address_equal(&l->items[i].address, address) && l->items[i].address.port == address->port)
            return true;
    return false;
}

bool listeners_parse(struct listeners *l, struct str text, struct arena *arena, struct buf *errors)
{
    struct str rest = text, item;
    size_t most = 0;
    bool ok = true;

    *l = (struct listeners){NULL, 0};
    while (str_cut_any(&rest, ";,", &item))
        most++;
    l->items = arena_new(arena, (most + 1) * sizeof *l->items);
    for (rest = text; str_cut_any(&rest, ";,", &item);) {
        struct listener_spec spec = {.mode = LISTENER_RELAY};

        item = str_trim(item);
        if (item.length == 0)
            continue;
        if (!read_item(&spec, item, errors))
            ok = false;
        else if (is_listed(l, &spec.address))
            ok = refuse(errors, item, "is there twice (expected each address and port once)");
        else
            l->items[l->count++] = spec;
    }
    if (ok && l->count == 0)
        ok = refuse(errors, text, "has no listener (expected IP:PORT:SSL)");
    return ok;
}

#include "net/dns_forward.h"

#include "net/address.h"
#include "net/dns.h"

#include <stdio.h>

enum { STANDARD_PORT = 53 };

bool dns_forward_is_root(struct str text)
{
    return str_equal_nocase(str_trim(text), STR("root"));
}

bool dns_forward_is_host(struct str text)
{
    return str_trim(text).length == 0;
}

static void read_item(struct str item, char to[DNS_FORWARD_SIZE])
{
    const size_t at = str_find(item, '@', 0);
    char host[ADDRESS_TEXT_SIZE];
    struct address address;
    uint64_t port = STANDARD_PORT;

    to[0] = '\0';
    if (!address_parse(&address, str_part(item, 0, at)) || address_is_any(&address))
        return;
    if (at < item.length && (!str_number(str_from(item, at + 1), 65535, &port) || port == 0))
        return;
    address_text(&address, host);
    snprintf(to, DNS_FORWARD_SIZE, "%.50s@%u", host, (unsigned)port);
}

bool dns_forward_next(struct str *rest, struct str *item, char to[DNS_FORWARD_SIZE])
{
    while (str_cut_any(rest, ",;", item)) {
        *item = str_trim(*item);
        if (item->length == 0)
            continue;
        read_item(*item, to);
        return true;
    }
    return false;
}

bool dns_check_forward(const char *text, struct buf *problems)
{
    struct str rest = str_of(text), item;
    char resolver[DNS_FORWARD_SIZE];
    bool good = true;

    if (dns_forward_is_root(rest))
        return true;
    while (dns_forward_next(&rest, &item, resolver)) {
        if (resolver[0] != '\0')
            continue;
        buf_print(problems, "\"%.*s\" is no resolver (expected IP or IP@PORT, or root alone)\n", STR_ARG(item));
        good = false;
    }
    return good;
}

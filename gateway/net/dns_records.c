#include "net/dns_records.h"

#include "net/dns_name.h"

#include <stdio.h>
#include <string.h>

enum { MX_HEAD = 2, TLSA_HEAD = 3, TLSA_SHOWN = 2048 };

/* Takes LABEL as the next one of the name of *LENGTH bytes in TO. */
static bool append_label(struct str label, char *to, size_t *length)
{
    if (*length + (*length > 0) + label.length > DNS_NAME_MOST)
        return false;
    if (*length > 0)
        to[(*length)++] = '.';
    for (size_t i = 0; i < label.length; i++) {
        char c = ascii_lower(label.data[i]);

        if (!dns_name_byte(c))
            return false;
        to[(*length)++] = c;
    }
    return true;
}

/* RFC 1035 section 3.1, without compression: the record ends where the name does. */
bool dns_read_name(struct str record, char to[DNS_NAME_SIZE])
{
    size_t length = 0, at = 0;

    to[0] = '\0';
    while (at < record.length) {
        size_t label = (unsigned char)record.data[at++];

        if (label == 0 && at == record.length) {
            to[length] = '\0';
            return true;
        }
        if (label == 0 || label > DNS_LABEL_MOST || label > record.length - at || !append_label(str_part(record, at, label), to, &length))
            break;
        at += label;
    }
    to[0] = '\0';
    return false;
}

bool dns_read_mx(struct str record, struct dns_mx *mx)
{
    *mx = (struct dns_mx){0};
    if (record.length <= MX_HEAD)
        return false;
    mx->preference = (unsigned)(unsigned char)record.data[0] << 8 | (unsigned char)record.data[1];
    return dns_read_name(str_from(record, MX_HEAD), mx->host);
}

bool dns_read_tlsa(struct str record, struct dns_tlsa *tlsa)
{
    *tlsa = (struct dns_tlsa){0};
    if (record.length <= TLSA_HEAD)
        return false;
    tlsa->usage = (unsigned char)record.data[0];
    tlsa->selector = (unsigned char)record.data[1];
    tlsa->matching = (unsigned char)record.data[2];
    tlsa->data = str_from(record, TLSA_HEAD);
    return true;
}

void dns_write_tlsa(const struct dns_tlsa *tlsa, struct buf *to)
{
    buf_print(to, "%u %u %u ", tlsa->usage, tlsa->selector, tlsa->matching);
    for (size_t i = 0; i < tlsa->data.length && i < TLSA_SHOWN; i++)
        buf_print(to, "%02x", (unsigned char)tlsa->data.data[i]);
}

/* By the socket's form, which makes IPv4-mapped addresses what they are. */
bool dns_read_address(struct str record, enum dns_type type, struct address *address)
{
    struct address plain = {.family = type == DNS_A ? AF_INET : AF_INET6};
    struct sockaddr_storage socket;

    *address = (struct address){.family = AF_UNSPEC};
    if (record.length != (type == DNS_A ? 4 : 16))
        return false;
    memcpy(plain.bytes, record.data, record.length);
    address_to_socket(&plain, &socket);
    address_from_socket(address, &socket);
    return true;
}

bool dns_read_txt(struct str record, struct buf *to)
{
    size_t at = 0;

    while (at < record.length) {
        size_t length = (unsigned char)record.data[at++];

        if (length > record.length - at)
            return false;
        buf_add(to, str_part(record, at, length));
        at += length;
    }
    return record.length > 0 && !to->full;
}

void dns_reverse_name(const struct address *address, char to[DNS_NAME_SIZE])
{
    const unsigned char *b = address->bytes;

    if (address->family == AF_INET) {
        snprintf(to, DNS_NAME_SIZE, "%d.%d.%d.%d.in-addr.arpa", b[3], b[2], b[1], b[0]);
        return;
    }
    for (size_t i = 0; i < 16; i++)
        snprintf(to + 4 * i, 5, "%x.%x.", (unsigned)b[15 - i] & 15, (unsigned)b[15 - i] >> 4);
    memcpy(to + 64, "ip6.arpa", sizeof "ip6.arpa");
}

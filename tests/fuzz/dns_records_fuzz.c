/* Data of DNS records, as any zone may hold it: the first byte is the type of the record. */
#include "fuzz.h"

#include "net/dns_name.h"
#include "net/dns_records.h"

/* Whatever is read is a name in its form, and is read again from its text. */
static void check_name(const char *name)
{
    char again[DNS_NAME_SIZE];

    fuzz_check(strlen(name) <= DNS_NAME_MOST);
    fuzz_check(strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-_.") == strlen(name));
    if (name[0] != '\0')
        fuzz_check(dns_name_normalize(name, again) && strcmp(name, again) == 0);
}

static void read_name(struct str record)
{
    char name[DNS_NAME_SIZE];

    memset(name, 'x', sizeof name);
    fuzz_check(dns_read_name(record, name) || name[0] == '\0');
    check_name(name);
}

static void read_mx(struct str record)
{
    struct dns_mx mx;

    if (!dns_read_mx(record, &mx))
        return;
    fuzz_check(mx.preference <= 65535);
    check_name(mx.host);
}

static void read_tlsa(struct str record)
{
    struct dns_tlsa tlsa;

    if (dns_read_tlsa(record, &tlsa))
        fuzz_check(tlsa.data.length > 0 && tlsa.data.data + tlsa.data.length == record.data + record.length);
}

static void read_address(struct str record, enum dns_type type)
{
    struct address address;
    char name[DNS_NAME_SIZE];

    if (!dns_read_address(record, type, &address)) {
        fuzz_check(address.family == AF_UNSPEC);
        return;
    }
    fuzz_check((address.family == AF_INET || address.family == AF_INET6) && address.port == 0);
    dns_reverse_name(&address, name);
    check_name(name);
}

static void read_txt(struct str record)
{
    struct buf text;

    buf_init(&text, 300);
    if (dns_read_txt(record, &text))
        fuzz_check(text.length < record.length);
    buf_done(&text);
}

static void read_text(struct str text)
{
    char copy[300], name[DNS_NAME_SIZE];

    if (str_copy(text, copy, sizeof copy) && dns_name_normalize(copy, name))
        check_name(name);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str record = str_from(fuzz_input(data, size), 1);
    char *exact = fuzz_exact(record);

    record.data = exact;
    switch (size > 0 ? data[0] : 0) {
    case DNS_A:
    case DNS_AAAA:
        read_address(record, (enum dns_type)data[0]);
        break;
    case DNS_MX:
        read_mx(record);
        break;
    case DNS_TLSA:
        read_tlsa(record);
        break;
    case DNS_TXT:
        read_txt(record);
        break;
    case 0:
        read_text(record);
        break;
    default:
        read_name(record);
    }
    free(exact);
    return 0;
}

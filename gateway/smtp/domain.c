#include "smtp/domain.h"

#include <idn2.h>
#include <stdlib.h>
#include <string.h>

bool domain_is_literal(struct str domain, struct address *address)
{
    struct str inside;

    if (domain.length < 3 || !str_starts(domain, STR("[")) || !str_ends(domain, STR("]")))
        return false;
    inside = str_part(domain, 1, domain.length - 2);
    if (str_starts_nocase(inside, STR("IPv6:")))
        return str_has(str_from(inside, 5), ':') && address_parse(address, str_from(inside, 5));
    return !str_has(inside, ':') && address_parse(address, inside);
}

static bool is_label_byte(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

static bool is_label(struct str label)
{
    if (label.length == 0 || label.length > 63 || label.data[0] == '-' || label.data[label.length - 1] == '-')
        return false;
    for (size_t i = 0; i < label.length; i++)
        if (!is_label_byte(label.data[i]))
            return false;
    return true;
}

static bool are_labels(struct str domain)
{
    struct str label;

    if (domain.length == 0 || domain.length > DOMAIN_MAX)
        return false;
    while (str_cut(&domain, '.', &label))
        if (!is_label(label))
            return false;
    return true;
}

static bool to_ascii(const char *domain, char *to)
{
    char *ascii = NULL;
    bool ok = idn2_lookup_u8((const uint8_t *)domain, (uint8_t **)&ascii, IDN2_NONTRANSITIONAL | IDN2_NFC_INPUT) == IDN2_OK &&
              str_copy(str_of(ascii), to, DOMAIN_SIZE);

    idn2_free(ascii);
    return ok;
}

bool domain_normalize(struct str domain, char *to)
{
    char copy[4 * DOMAIN_SIZE];
    struct address address;

    to[0] = '\0';
    if (domain_is_literal(domain, &address)) {
        address_literal(&address, to);
        return true;
    }
    if (domain.length > 1 && str_ends(domain, STR(".")))
        domain.length--;
    if (!str_copy(domain, copy, sizeof copy))
        return false;
    if (!str_is_ascii(domain)) {
        if (!str_is_utf8(domain) || !to_ascii(copy, to))
            return false;
    } else if (!str_copy(domain, to, DOMAIN_SIZE)) {
        return false;
    }
    for (char *c = to; *c != '\0'; c++)
        *c = ascii_lower(*c);
    return are_labels(str_of(to));
}

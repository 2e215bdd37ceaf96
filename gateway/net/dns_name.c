#include "net/dns_name.h"

#include <string.h>

bool dns_name_byte(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

bool dns_name_normalize(const char *name, char to[DNS_NAME_SIZE])
{
    size_t length = strlen(name), label = 0;

    length -= length > 0 && name[length - 1] == '.';
    if (length == 0 || length > DNS_NAME_MOST)
        return false;
    for (size_t i = 0; i < length; i++) {
        to[i] = ascii_lower(name[i]);
        if (to[i] == '.' ? label == 0 : !dns_name_byte(to[i]))
            return false;
        label = to[i] == '.' ? 0 : label + 1;
        if (label > DNS_LABEL_MOST)
            return false;
    }
    to[length] = '\0';
    return label > 0;
}

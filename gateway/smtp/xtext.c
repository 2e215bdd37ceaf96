#include "smtp/xtext.h"

enum { ENVID_MAX = 100, ORCPT_MAX = 500 };

static bool is_hex(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'F');
}

bool xtext_is_valid(struct str s)
{
    for (size_t i = 0; i < s.length; i++) {
        char c = s.data[i];

        if (c == '+') {
            if (i + 2 >= s.length || !is_hex(s.data[i + 1]) || !is_hex(s.data[i + 2]))
                return false;
            i += 2;
        } else if (c < '!' || c > '~' || c == '=') {
            return false;
        }
    }
    return true;
}

bool xtext_is_envid(struct str s)
{
    return s.length > 0 && s.length <= ENVID_MAX && xtext_is_valid(s);
}

void xtext_write(struct str s, struct buf *to)
{
    for (size_t i = 0; i < s.length; i++)
        if (s.data[i] >= '!' && s.data[i] <= '~' && s.data[i] != '+' && s.data[i] != '=')
            buf_add_byte(to, s.data[i]);
        else
            buf_print(to, "+%02X", (unsigned)(unsigned char)s.data[i]);
}

static bool is_atom(struct str s)
{
    for (size_t i = 0; i < s.length; i++) {
        char c = s.data[i];

        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-'))
            return false;
    }
    return s.length > 0;
}

static bool is_utf8_address(struct str s)
{
    for (size_t i = 0; i < s.length; i++)
        if ((unsigned char)s.data[i] <= ' ' || s.data[i] == 127 || s.data[i] == '=' || s.data[i] == '+')
            return false;
    return str_is_utf8(s);
}

bool xtext_is_orcpt(struct str s, bool smtputf8)
{
    size_t semicolon = str_find(s, ';', 0);
    struct str address = str_from(s, semicolon + 1);

    if (semicolon >= s.length || s.length > ORCPT_MAX || !is_atom(str_part(s, 0, semicolon)) || address.length == 0)
        return false;
    return xtext_is_valid(address) || (smtputf8 && is_utf8_address(address));
}

static int hex_value(char c)
{
    return c <= '9' ? c - '0' : c - 'A' + 10;
}

bool xtext_read(struct str s, struct buf *to)
{
    if (!xtext_is_valid(s))
        return false;
    for (size_t i = 0; i < s.length; i++)
        if (s.data[i] == '+') {
            buf_add_byte(to, (char)(hex_value(s.data[i + 1]) << 4 | hex_value(s.data[i + 2])));
            i += 2;
        } else {
            buf_add_byte(to, s.data[i]);
        }
    return true;
}

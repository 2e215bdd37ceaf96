#include "base/base64.h"

static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static unsigned byte_at(struct str s, size_t i)
{
    return i < s.length ? (unsigned char)s.data[i] : 0;
}

void base64_encode(struct str bytes, struct buf *to)
{
    char *room;
    size_t length = (bytes.length + 2) / 3 * 4;

    if (length == 0 || (room = buf_room(to, length)) == NULL)
        return;
    for (size_t i = 0; i < bytes.length; i += 3) {
        unsigned group = byte_at(bytes, i) << 16 | byte_at(bytes, i + 1) << 8 | byte_at(bytes, i + 2);

        *room++ = letters[group >> 18];
        *room++ = letters[group >> 12 & 63];
        *room++ = i + 1 < bytes.length ? letters[group >> 6 & 63] : '=';
        *room++ = i + 2 < bytes.length ? letters[group & 63] : '=';
    }
    buf_grew(to, length);
}

static int value_of(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* 24 bits of four letters, of which the last PADDING are `=`. */
static bool read_group(const char *text, size_t padding, unsigned *group)
{
    *group = 0;
    for (size_t i = 0; i < 4; i++) {
        int value = i < 4 - padding ? value_of(text[i]) : 0;

        if (value < 0)
            return false;
        *group = *group << 6 | (unsigned)value;
    }
    return (*group & ((1U << 8 * padding) - 1)) == 0; /* RFC 4648 section 3.5 */
}

bool base64_decode(struct str text, struct buf *to)
{
    size_t padding = str_ends(text, STR("==")) ? 2 : str_ends(text, STR("=")) ? 1 : 0, length = text.length / 4 * 3;
    char *room;

    if (text.length % 4 != 0)
        return false;
    if (text.length == 0)
        return true;
    if ((room = buf_room(to, length - padding)) == NULL)
        return false;
    for (size_t i = 0; i < text.length; i += 4) {
        size_t missing = i + 4 == text.length ? padding : 0;
        unsigned group;

        if (!read_group(text.data + i, missing, &group))
            return false;
        for (size_t k = 0; k < 3 - missing; k++)
            *room++ = (char)(unsigned char)(group >> (16 - 8 * k));
    }
    buf_grew(to, length - padding);
    return true;
}

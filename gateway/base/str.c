#include "base/str.h"

#include <string.h>
#include <strings.h>

struct str str_of(const char *text)
{
    return (struct str){text, text != NULL ? strlen(text) : 0};
}

struct str str_from(struct str s, size_t start)
{
    if (start > s.length)
        start = s.length;
    return (struct str){s.length > 0 ? s.data + start : s.data, s.length - start};
}

struct str str_part(struct str s, size_t start, size_t length)
{
    s = str_from(s, start);
    if (length < s.length)
        s.length = length;
    return s;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

struct str str_trim(struct str s)
{
    while (s.length > 0 && is_blank(s.data[0]))
        s = str_from(s, 1);
    while (s.length > 0 && is_blank(s.data[s.length - 1]))
        s.length--;
    return s;
}

bool str_equal(struct str a, struct str b)
{
    return a.length == b.length && (a.length == 0 || memcmp(a.data, b.data, a.length) == 0);
}

char ascii_lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

bool str_equal_nocase(struct str a, struct str b)
{
    if (a.length != b.length)
        return false;
    for (size_t i = 0; i < a.length; i++)
        if (ascii_lower(a.data[i]) != ascii_lower(b.data[i]))
            return false;
    return true;
}

bool str_starts(struct str s, struct str prefix)
{
    return s.length >= prefix.length && str_equal(str_part(s, 0, prefix.length), prefix);
}

bool str_starts_nocase(struct str s, struct str prefix)
{
    return s.length >= prefix.length && str_equal_nocase(str_part(s, 0, prefix.length), prefix);
}

bool str_ends(struct str s, struct str suffix)
{
    return s.length >= suffix.length && str_equal(str_from(s, s.length - suffix.length), suffix);
}

bool str_contains(struct str s, struct str part)
{
    return s.length > 0 && part.length > 0 && memmem(s.data, s.length, part.data, part.length) != NULL;
}

size_t str_find(struct str s, char c, size_t start)
{
    const char *found;

    if (start >= s.length)
        return s.length;
    found = memchr(s.data + start, c, s.length - start);
    return found != NULL ? (size_t)(found - s.data) : s.length;
}

bool str_has(struct str s, char c)
{
    return str_find(s, c, 0) < s.length;
}

bool str_is_ascii(struct str s)
{
    for (size_t i = 0; i < s.length; i++)
        if ((unsigned char)s.data[i] > 127)
            return false;
    return true;
}

bool str_is_utf8(struct str s)
{
    for (size_t i = 0; i < s.length;) {
        unsigned char c = (unsigned char)s.data[i++];
        size_t more = c < 0x80 ? 0 : c >= 0xc2 && c <= 0xdf ? 1 : (c & 0xf0) == 0xe0 ? 2 : c >= 0xf0 && c <= 0xf4 ? 3 : 9;

        if (more == 9 || i + more > s.length)
            return false;
        if (more >= 2) {
            unsigned char d = (unsigned char)s.data[i];

            if ((c == 0xe0 && d < 0xa0) || (c == 0xed && d > 0x9f) || (c == 0xf0 && d < 0x90) || (c == 0xf4 && d > 0x8f))
                return false;
        }
        for (; more > 0; more--)
            if (((unsigned char)s.data[i++] & 0xc0) != 0x80)
                return false;
    }
    return true;
}

size_t str_character(struct str s)
{
    for (size_t length = 1; length <= 4 && length <= s.length; length++)
        if (str_is_utf8(str_part(s, 0, length)))
            return length;
    return 0;
}

bool str_has_control(struct str s)
{
    for (size_t i = 0; i < s.length; i++)
        if ((unsigned char)s.data[i] < 32 || s.data[i] == 127)
            return true;
    return false;
}

bool str_cut_any(struct str *rest, const char *separators, struct str *part)
{
    size_t length = 0;

    if (rest->data == NULL)
        return false;
    while (length < rest->length && (rest->data[length] == '\0' || strchr(separators, rest->data[length]) == NULL))
        length++;
    *part = str_part(*rest, 0, length);
    *rest = length < rest->length ? str_from(*rest, length + 1) : (struct str){NULL, 0};
    return true;
}

bool str_cut(struct str *rest, char separator, struct str *part)
{
    const char separators[] = {separator, '\0'};

    return str_cut_any(rest, separators, part);
}

bool str_number(struct str s, uint64_t max, uint64_t *value)
{
    uint64_t number = 0;

    if (s.length == 0)
        return false;
    for (size_t i = 0; i < s.length; i++) {
        uint64_t digit = (uint64_t)(unsigned char)s.data[i] - '0';

        if (digit > 9 || digit > max || number > (max - digit) / 10)
            return false;
        number = number * 10 + digit;
    }
    *value = number;
    return true;
}

bool str_copy(struct str s, char *to, size_t size)
{
    bool fits = s.length < size && !str_has(s, '\0');

    if (fits && s.length > 0)
        memcpy(to, s.data, s.length);
    to[fits ? s.length : 0] = '\0';
    return fits;
}

uint32_t str_hash(struct str s)
{
    uint32_t hash = 2166136261U;

    for (size_t i = 0; i < s.length; i++)
        hash = (hash ^ (unsigned char)s.data[i]) * 16777619U;
    return hash;
}

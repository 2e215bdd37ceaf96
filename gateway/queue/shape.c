#include "queue/shape.h"

enum { ID_MIN = 6 }; /* shorter words with a digit in them are words: "IPv6", "MX2" */

/* The word at the start of a text, without what only ends its sentence, and what it is made of. */
struct word {
    size_t length, digits, letters, dots, colons, ats;
};

/* A million reasons pass here while somebody waits: one look at each byte. */
static bool add_byte(struct word *w, char c)
{
    if ((unsigned char)((c | 32) - 'a') < 26)
        w->letters++;
    else if ((unsigned char)(c - '0') < 10)
        w->digits++;
    else if (c == '.')
        w->dots++;
    else if (c == ':')
        w->colons++;
    else if (c == '@')
        w->ats++;
    else if (c != '-' && c != '_' && c != '+' && (unsigned char)c < 128)
        return false;
    w->length++;
    return true;
}

static struct word read_word(struct str text)
{
    struct word w = {0};

    while (w.length < text.length && add_byte(&w, text.data[w.length]))
        ;
    for (; w.length > 1 && (text.data[w.length - 1] == '.' || text.data[w.length - 1] == ':'); w.length--)
        *(text.data[w.length - 1] == '.' ? &w.dots : &w.colons) -= 1;
    return w;
}

static bool varies(const struct word *w)
{
    if (w->ats > 0 || w->digits == w->length) /* an address, a number */
        return true;
    if (w->colons > 1 || (w->dots == 3 && w->digits + w->dots == w->length)) /* an IP address, a time */
        return w->digits > 0;
    return w->dots == 0 && w->digits > 0 && w->length >= ID_MIN;
}

/* The length of "<…>" or "[…]" at the start; 0: there is none. */
static size_t bracket_length(struct str text)
{
    size_t end;

    if (text.data[0] != '<' && text.data[0] != '[')
        return 0;
    end = str_find(text, text.data[0] == '<' ? '>' : ']', 1);
    return end < text.length ? end + 1 : 0;
}

/* Appends what stands for the start of REASON, and returns how much of it that was. */
static size_t add_part(struct buf *to, struct str reason)
{
    size_t length = bracket_length(reason);
    struct word w;

    if (length > 0) {
        buf_add(to, reason.data[0] == '<' ? STR("<*>") : STR("[*]"));
        return length;
    }
    w = read_word(reason);
    if (w.length == 0) {
        buf_add_byte(to, reason.data[0]);
        return 1;
    }
    buf_add(to, varies(&w) ? STR("*") : str_part(reason, 0, w.length));
    return w.length;
}

void shape_add(struct buf *to, struct str reason)
{
    size_t start = to->length, at = 0;

    while (at < reason.length && to->length - start < SHAPE_SIZE)
        at += add_part(to, str_from(reason, at));
}

#include "message/header.h"

static const char field[] = "received:";

void header_scan_init(struct header_scan *h)
{
    *h = (struct header_scan){.matches = true};
}

static void end_line(struct header_scan *h)
{
    if (h->column <= 1)
        h->ended = true; /* nothing but the CR */
    h->column = h->matched = 0;
    h->matches = true;
}

/* One byte of the field name, as far as it may still be ours. */
static void match_name(struct header_scan *h, char c)
{
    if (h->matched == sizeof field - 2 && (c == ' ' || c == '\t'))
        return; /* RFC 5322 section 4.5: white space before the colon was once allowed */
    h->matches = ascii_lower(c) == field[h->matched];
    if (h->matches && ++h->matched == sizeof field - 1) {
        h->received++;
        h->matches = false;
    }
}

void header_scan(struct header_scan *h, struct str content)
{
    for (size_t i = 0; i < content.length && !h->ended; i++) {
        char c = content.data[i];

        if (c == '\n') {
            end_line(h);
            continue;
        }
        if ((unsigned char)c > 127)
            h->eight_bit = true;
        if (h->matches)
            match_name(h, c);
        h->column++;
    }
}

#include "smtp/line.h"

/* Where a CR LF ends in INPUT; its length when there is none.  *LAST is the byte before INPUT, and then its last one. */
static size_t find_crlf(struct str input, char *last)
{
    for (size_t end = str_find(input, '\n', 0); end < input.length; end = str_find(input, '\n', end + 1))
        if ((end > 0 ? input.data[end - 1] : *last) == '\r')
            return end;
    if (input.length > 0)
        *last = input.data[input.length - 1];
    return input.length;
}

/* To the CR LF, and to nothing less: what stands behind a bare LF is part of the line. */
static enum line_result swallow(struct stream *s)
{
    size_t swallowed = 0;
    char last = '\0';

    while (swallowed < LINE_SWALLOW_MAX) {
        struct str input = stream_input(s);
        size_t end = find_crlf(input, &last);

        if (end < input.length) {
            stream_consume(s, end + 1);
            return LINE_TOO_LONG;
        }
        swallowed += input.length;
        stream_consume(s, input.length);
        if (!stream_fill(s, LINE_SWALLOW_MAX))
            return LINE_FAULT;
    }
    return LINE_ENDLESS;
}

enum line_result line_read(struct stream *s, size_t max, struct str *line)
{
    size_t searched = 0;

    for (;;) {
        struct str input = stream_input(s);
        size_t end = str_find(input, '\n', searched);

        if (end < max && end < input.length) {
            bool has_cr = end > 0 && input.data[end - 1] == '\r';

            *line = str_part(input, 0, has_cr ? end - 1 : end);
            stream_consume(s, end + 1);
            return has_cr ? LINE_READ : LINE_BARE_LF;
        }
        if (input.length >= max) {
            str_copy(str_part(input, 0, sizeof s->head - 1), s->head, sizeof s->head);
            *line = str_of(s->head);
            return swallow(s);
        }
        searched = input.length;
        if (!stream_fill(s, max))
            return LINE_FAULT;
    }
}

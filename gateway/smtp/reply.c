#include "smtp/reply.h"

#include "smtp/line.h"

#include <stdio.h>

void reply_put(struct stream *s, const struct status *status)
{
    char line[STATUS_TEXT_SIZE + 32], enhanced[STATUS_ENHANCED_SIZE];
    int length;

    status_enhanced(status, enhanced);
    length = snprintf(line, sizeof line, "%03d %s%s\r\n", status->code, enhanced, status->text);
    stream_put(s, (struct str){line, (size_t)length});
}

bool reply_parse_line(struct str line, int *code, bool *more, struct str *text)
{
    uint64_t number;

    if (line.length < 3 || !str_number(str_part(line, 0, 3), 599, &number) || number < 200)
        return false;
    if (line.length > 3 && line.data[3] != ' ' && line.data[3] != '-')
        return false;
    *code = (int)number;
    *more = line.length > 3 && line.data[3] == '-';
    *text = str_from(line, 4);
    return true;
}

/* The enhanced code of the first line stands for all (RFC 2034 section 4); on the others it is left out of the text. */
static void append_text(struct status *status, struct str text, bool first)
{
    struct status other = {0};
    size_t skip = status_parse_enhanced(text, first ? status : &other);
    struct buf joined;

    text = str_trim(str_from(text, skip));
    if (first) {
        status_set_text(status, text);
        return;
    }
    buf_init(&joined, 0);
    buf_add_text(&joined, status->text);
    if (joined.length > 0 && text.length > 0)
        buf_add_byte(&joined, ' ');
    buf_add(&joined, text);
    status_set_text(status, buf_str(&joined));
    buf_done(&joined);
}

enum reply_result reply_read(struct stream *s, struct status *status, reply_line each, void *context)
{
    size_t lines = 0, octets = 0;
    bool more = true;

    *status = (struct status){.from_peer = true};
    while (more) {
        struct str line, text;
        int code;
        enum line_result result = line_read(s, REPLY_LINE_MAX, &line);

        if (result == LINE_FAULT)
            return REPLY_FAULT;
        if (result == LINE_TOO_LONG || result == LINE_ENDLESS || ++lines > REPLY_LINES_MAX || (octets += line.length) > REPLY_OCTETS_MAX)
            return REPLY_TOO_BIG;
        if (!reply_parse_line(line, &code, &more, &text) || (lines > 1 && code != status->code))
            return REPLY_MALFORMED;
        status->code = (short)code;
        append_text(status, text, lines == 1);
        if (each != NULL)
            each(context, text);
    }
    return REPLY_READ;
}

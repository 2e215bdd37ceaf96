#include "smtp/data.h"

#include <string.h>

static const struct str crlf = {"\r\n", 2};

static void hand_on(struct str input, size_t from, size_t to, data_sink sink, void *context)
{
    if (to > from)
        sink(context, str_part(input, from, to - from));
}

void data_reader_init(struct data_reader *r, bool dots)
{
    *r = (struct data_reader){.state = DATA_LINE_START, .dots = dots};
}

static void bare(struct data_reader *r, enum data_flaw flaw, data_sink sink, void *context)
{
    if (r->normalize)
        sink(context, crlf);
    else
        r->flaws |= (unsigned)flaw;
    /* Not DATA_LINE_START: a dot behind it was not stuffed and ends nothing. */
    r->state = DATA_TEXT;
    r->line_length = 0;
}

static void count_line(struct data_reader *r, size_t length)
{
    r->line_length += length;
    if (r->line_max > 0 && r->line_length > r->line_max)
        r->flaws |= DATA_LONG_LINE;
}

/* Text from AT to the next CR or LF; returns where that stands. */
static size_t skip_text(struct data_reader *r, struct str input, size_t at)
{
    const char *start = input.data + at;
    size_t length = input.length - at;
    const char *found = memchr(start, '\n', length);

    if (found != NULL)
        length = (size_t)(found - start);
    found = memchr(start, '\r', length);
    if (found != NULL)
        length = (size_t)(found - start);
    if (memchr(start, '\0', length) != NULL)
        r->flaws |= DATA_NUL;
    count_line(r, length);
    return at + length;
}

/* A CR or LF at AT inside a line.  What stands before it from *RUN on may stay in the run when a whole CR LF follows. */
static size_t line_end(struct data_reader *r, struct str input, size_t at, size_t *run, data_sink sink, void *context)
{
    bool is_cr = input.data[at] == '\r';

    if (is_cr && at + 1 < input.length && input.data[at + 1] == '\n') {
        r->state = DATA_LINE_START;
        r->line_length = 0;
        return at + 2;
    }
    hand_on(input, *run, at, sink, context);
    *run = at + 1;
    if (is_cr && at + 1 == input.length)
        r->state = DATA_CR;
    else
        bare(r, is_cr ? DATA_BARE_CR : DATA_BARE_LF, sink, context);
    return at + 1;
}

size_t data_read(struct data_reader *r, struct str input, data_sink sink, void *context)
{
    size_t at = 0, run = 0;

    while (at < input.length && !r->ended) {
        char c = input.data[at];

        switch (r->state) {
        case DATA_LINE_START:
            r->state = DATA_TEXT;
            if (c == '.' && r->dots) {
                hand_on(input, run, at, sink, context);
                run = ++at;
                r->state = DATA_DOT;
            }
            break;
        case DATA_TEXT:
            at = skip_text(r, input, at);
            if (at < input.length)
                at = line_end(r, input, at, &run, sink, context);
            break;
        case DATA_CR:
            if (c == '\n') {
                sink(context, crlf);
                run = ++at;
                r->state = DATA_LINE_START;
                r->line_length = 0;
            } else {
                bare(r, DATA_BARE_CR, sink, context);
            }
            break;
        case DATA_DOT:
            r->state = DATA_TEXT;
            if (c == '\r') {
                run = ++at;
                r->state = DATA_DOT_CR;
            }
            break;
        case DATA_DOT_CR:
            if (c == '\n') {
                run = ++at;
                r->ended = true;
            } else {
                bare(r, DATA_BARE_CR, sink, context);
            }
            break;
        }
    }
    hand_on(input, run, at, sink, context);
    return at;
}

void data_read_end(struct data_reader *r, data_sink sink, void *context)
{
    if (r->state == DATA_CR)
        bare(r, DATA_BARE_CR, sink, context);
}

void data_writer_init(struct data_writer *w)
{
    *w = (struct data_writer){.state = DATA_LINE_START};
}

void data_write(struct data_writer *w, struct str content, data_sink sink, void *context)
{
    size_t at = 0, run = 0;

    while (at < content.length && !w->flawed) {
        const char *lf;
        size_t end;

        if (w->state == DATA_CR) {
            w->flawed = content.data[at] != '\n';
            w->state = DATA_LINE_START;
            at++;
            continue;
        }
        if (w->state == DATA_LINE_START && content.data[at] == '.') {
            hand_on(content, run, at, sink, context);
            sink(context, STR("."));
            run = at;
        }
        lf = memchr(content.data + at, '\n', content.length - at);
        end = lf != NULL ? (size_t)(lf - content.data) : content.length;
        w->state = DATA_TEXT;
        if (end > at && content.data[end - 1] == '\r')
            w->state = lf != NULL ? DATA_LINE_START : DATA_CR;
        else if (lf != NULL)
            w->flawed = true;
        if (memchr(content.data + at, '\r', end - at - (w->state != DATA_TEXT ? 1 : 0)) != NULL)
            w->flawed = true;
        at = lf != NULL ? end + 1 : end;
    }
    if (!w->flawed)
        hand_on(content, run, at, sink, context);
}

void data_write_end(struct data_writer *w, data_sink sink, void *context)
{
    if (w->state == DATA_CR)
        w->flawed = true;
    if (w->flawed)
        return;
    if (w->state != DATA_LINE_START)
        sink(context, crlf);
    sink(context, STR(".\r\n"));
}

#include "message/field.h"

void field_scan_init(struct field_scan *f, const char *name)
{
    *f = (struct field_scan){.name = name, .text = {.limit = FIELD_KEPT}};
}

void field_scan_done(struct field_scan *f)
{
    buf_done(&f->text);
}

static void end_line(struct field_scan *f)
{
    f->ended = f->column <= 1; /* nothing but the CR */
    f->column = f->matched = 0;
}

static void match_name(struct field_scan *f, char c)
{
    if (f->name[f->matched] == '\0' && (c == ' ' || c == '\t'))
        return; /* RFC 5322 section 4.5 */
    if (f->name[f->matched] == '\0' && c == ':') {
        if (f->count++ > 0)
            buf_add_byte(&f->text, '\n');
        f->kept = true;
        f->state = FIELD_BODY;
    } else if (f->name[f->matched] != '\0' && ascii_lower(c) == f->name[f->matched]) {
        f->matched++;
    } else {
        f->state = FIELD_OTHER;
    }
}

static void take_byte(struct field_scan *f, char c)
{
    if (f->column++ == 0) {
        bool folded = c == ' ' || c == '\t';

        f->kept = f->kept && folded;
        f->state = !folded ? FIELD_NAME : f->kept ? FIELD_BODY : FIELD_OTHER;
    }
    if (f->state == FIELD_NAME)
        match_name(f, c);
    else if (f->state == FIELD_BODY && c != '\r')
        buf_add_byte(&f->text, c);
}

void field_scan(struct field_scan *f, struct str content)
{
    for (size_t i = 0; i < content.length && !f->ended; i++)
        if (content.data[i] == '\n')
            end_line(f);
        else
            take_byte(f, content.data[i]);
}

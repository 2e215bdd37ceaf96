#include "base/status.h"

#include <stdio.h>
#include <string.h>

void status_set_text(struct status *s, struct str text)
{
    size_t length = text.length < sizeof s->text - 1 ? text.length : sizeof s->text - 1;

    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)text.data[i];

        s->text[i] = c < 32 || c == 127 ? '?' : text.data[i];
    }
    s->text[length] = '\0';
}

struct status status_make(int code, const char *enhanced, const char *format, ...)
{
    struct status s = {.code = (short)code};
    char text[STATUS_TEXT_SIZE];
    va_list args;

    status_parse_enhanced(str_of(enhanced), &s);
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    status_set_text(&s, str_of(text));
    return s;
}

struct status status_ok(void)
{
    return (struct status){.code = 250, .class = 2};
}

bool status_is_ok(const struct status *s)
{
    return s->code < 400;
}

bool status_is_temporary(const struct status *s)
{
    return s->code >= 400 && s->code < 500;
}

bool status_is_permanent(const struct status *s)
{
    return s->code >= 500;
}

void status_enhanced(const struct status *s, char *to)
{
    if (s->class == 0)
        to[0] = '\0';
    else
        snprintf(to, STATUS_ENHANCED_SIZE, "%d.%d.%d ", s->class % 10, s->subject % 1000, s->detail % 1000);
}

void status_quote(const struct status *s, char *to)
{
    char enhanced[STATUS_ENHANCED_SIZE];

    status_enhanced(s, enhanced);
    if (s->from_peer)
        snprintf(to, STATUS_QUOTED_SIZE, "%d %s%s", s->code, s->coined ? "" : enhanced, s->text);
    else
        snprintf(to, STATUS_QUOTED_SIZE, "%s", s->text);
}

static size_t number_at(struct str text, size_t at, short *number)
{
    size_t length = 0;
    int value = 0;

    while (length < 3 && at + length < text.length && text.data[at + length] >= '0' && text.data[at + length] <= '9')
        value = value * 10 + (text.data[at + length++] - '0');
    *number = (short)value;
    return length;
}

size_t status_parse_enhanced(struct str text, struct status *s)
{
    short subject, detail;
    size_t a, b;

    if (text.length < 5 || text.data[1] != '.' || !(text.data[0] == '2' || text.data[0] == '4' || text.data[0] == '5'))
        return 0;
    a = number_at(text, 2, &subject);
    if (a == 0 || 2 + a >= text.length || text.data[2 + a] != '.')
        return 0;
    b = number_at(text, 3 + a, &detail);
    if (b == 0 || (3 + a + b < text.length && text.data[3 + a + b] != ' '))
        return 0;
    s->class = (short)(text.data[0] - '0');
    s->subject = subject;
    s->detail = detail;
    return 3 + a + b;
}

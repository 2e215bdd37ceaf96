#include "conf/rate.h"

#include "conf/value.h"

#include <stdio.h>

static const struct {
    const char *name;
    int64_t ms;
} units[] = {{"second", 1000}, {"minute", 60000}, {"hour", 3600000}};

enum { UNITS = sizeof units / sizeof units[0] };

static bool is_unit(struct str word, const char *name)
{
    return str_equal_nocase(word, str_of(name)) || str_equal_nocase(word, str_part(str_of(name), 0, 1));
}

bool rate_parse(struct rate *r, struct str text)
{
    size_t slash;

    *r = (struct rate){0};
    text = str_trim(text);
    slash = str_find(text, '/', 0);
    if (text.length == 0)
        return true;
    if (slash >= text.length || !value_read_number(str_trim(str_part(text, 0, slash)), &r->count) || r->count < 1 || r->count > RATE_MOST)
        return false;
    for (size_t i = 0; i < UNITS; i++)
        if (is_unit(str_trim(str_from(text, slash + 1)), units[i].name))
            r->ms = units[i].ms;
    return r->ms > 0;
}

void rate_text(const struct rate *r, char *to)
{
    to[0] = '\0';
    for (size_t i = 0; i < UNITS; i++)
        if (r->count > 0 && r->ms == units[i].ms)
            snprintf(to, RATE_TEXT_SIZE, "%lld/%s", (long long)r->count, units[i].name);
}

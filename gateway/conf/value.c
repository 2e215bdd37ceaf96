#include "conf/value.h"

enum { QUOTE_MAX = 200 };

struct unit {
    char letter;
    int64_t factor;
};

/* Largest first: that is the one to write with. */
static const struct unit size_units[] = {{'G', 1 << 30}, {'M', 1 << 20}, {'K', 1 << 10}};
static const struct unit time_units[] = {{'d', 86400000}, {'h', 3600000}, {'m', 60000}, {'s', 1000}};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

bool value_read_bool(struct str text, bool *value)
{
    static const struct {
        const char *word;
        bool value;
    } words[] = {{"true", true}, {"false", false}, {"yes", true}, {"no", false}, {"on", true}, {"off", false}, {"1", true}, {"0", false}};

    for (size_t i = 0; i < COUNT(words); i++)
        if (str_equal_nocase(text, str_of(words[i].word))) {
            *value = words[i].value;
            return true;
        }
    return false;
}

static bool read_multiple(struct str text, int64_t factor, int64_t *value)
{
    uint64_t number;

    if (!str_number(text, (uint64_t)(INT64_MAX / factor), &number))
        return false;
    *value = (int64_t)number * factor;
    return true;
}

bool value_read_number(struct str text, int64_t *value)
{
    return read_multiple(text, 1, value);
}

/* LETTER as it stands or, with ANY_CASE, in either case. */
static bool read_with_unit(struct str text, const struct unit *units, size_t count, bool any_case, int64_t bare, int64_t *value)
{
    char last = text.length > 0 ? text.data[text.length - 1] : '\0';

    for (size_t i = 0; i < count; i++)
        if (last == units[i].letter || (any_case && last == ascii_lower(units[i].letter)))
            return read_multiple(str_part(text, 0, text.length - 1), units[i].factor, value);
    return read_multiple(text, bare, value);
}

bool value_read_size(struct str text, int64_t *value)
{
    return read_with_unit(text, size_units, COUNT(size_units), true, 1, value);
}

bool value_read_time(struct str text, int64_t unit, int64_t *value)
{
    return read_with_unit(text, time_units, COUNT(time_units), false, unit, value);
}

static bool write_with_unit(struct buf *to, int64_t value, const struct unit *units, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (value > 0 && value % units[i].factor == 0) {
            buf_add_number(to, value / units[i].factor);
            buf_add_byte(to, units[i].letter);
            return true;
        }
    return false;
}

void value_write_size(struct buf *to, int64_t bytes)
{
    if (!write_with_unit(to, bytes, size_units, COUNT(size_units)))
        buf_add_number(to, bytes);
}

void value_write_time(struct buf *to, int64_t milliseconds)
{
    if (!write_with_unit(to, milliseconds, time_units, COUNT(time_units))) {
        buf_add_number(to, milliseconds / 1000);
        buf_add_byte(to, 's');
    }
}

void value_quote(struct buf *to, struct str text)
{
    bool is_cut = text.length > QUOTE_MAX;

    buf_add_byte(to, '"');
    text = str_part(text, 0, QUOTE_MAX);
    for (size_t i = 0; i < text.length; i++) {
        unsigned char c = (unsigned char)text.data[i];

        if (c < 32 || c >= 127)
            buf_print(to, "\\x%02x", c);
        else
            buf_add_byte(to, (char)c);
    }
    buf_add_text(to, is_cut ? "\"..." : "\"");
}

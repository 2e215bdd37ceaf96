#include "admin/listing.h"

#include "base/buf.h"
#include "base/memory.h"

#include <jansson.h>
#include <stdio.h>

struct listing {
    bool json, failed;
    size_t rows;
    json_t *row; /* NULL between rows */
};

struct listing *listing_open(bool json)
{
    struct listing *l = memory_new(sizeof *l);

    l->json = json;
    return l;
}

/* The length of the UTF-8 character at the start of S, 0 when there is none. */
static size_t character_length(struct str s)
{
    for (size_t length = 1; length <= 4 && length <= s.length; length++)
        if (str_is_utf8(str_part(s, 0, length)))
            return length;
    return 0;
}

static json_t *to_json(struct str value)
{
    struct buf text = {0};
    json_t *string;

    while (value.length > 0) {
        size_t length = character_length(value);

        buf_add(&text, length > 0 ? str_part(value, 0, length) : STR("\xef\xbf\xbd"));
        value = str_from(value, length > 0 ? length : 1);
    }
    string = json_stringn(buf_text(&text), text.length);
    buf_done(&text);
    return string;
}

static void add(struct listing *l, const char *key, json_t *value)
{
    if (l->row == NULL)
        l->row = json_object();
    if (json_object_set_new(l->row, key, value) != 0)
        l->failed = true;
}

void listing_str(struct listing *l, const char *key, struct str value)
{
    if (l->json)
        add(l, key, to_json(value));
}

void listing_text(struct listing *l, const char *key, const char *value)
{
    if (l->json)
        add(l, key, value != NULL ? to_json(str_of(value)) : json_null());
}

void listing_number(struct listing *l, const char *key, int64_t value)
{
    if (l->json)
        add(l, key, json_integer(value));
}

void listing_bool(struct listing *l, const char *key, bool value)
{
    if (l->json)
        add(l, key, json_boolean(value));
}

/* What a terminal takes as text: no C0, no DEL, no C1 (U+0080 to U+009F), no broken UTF-8. */
static bool is_text(struct str character)
{
    unsigned char first = (unsigned char)character.data[0];

    return first >= 32 && first != 127 && !(first == 0xc2 && (unsigned char)character.data[1] < 0xa0);
}

static void print_text(struct str text)
{
    while (text.length > 0) {
        size_t length = character_length(text);

        if (length > 0 && is_text(str_part(text, 0, length)))
            fwrite(text.data, 1, length, stdout);
        else
            putchar('?');
        text = str_from(text, length > 0 ? length : 1);
    }
}

void listing_line(struct listing *l, const char *format, ...)
{
    struct buf text = {0};
    va_list args;

    if (l->json)
        return;
    va_start(args, format);
    buf_print_args(&text, format, args);
    va_end(args);
    print_text(buf_str(&text));
    putchar('\n');
    buf_done(&text);
}

void listing_end_row(struct listing *l)
{
    if (l->row == NULL)
        return;
    fputs(l->rows++ == 0 ? "[\n" : ",\n", stdout);
    /* ASCII alone: what a terminal would obey is escaped with all the rest. */
    if (json_dumpf(l->row, stdout, JSON_ENSURE_ASCII) != 0)
        l->failed = true;
    json_decref(l->row);
    l->row = NULL;
}

bool listing_close(struct listing **l)
{
    bool ok;

    if (*l == NULL)
        return true;
    listing_end_row(*l);
    if ((*l)->json)
        fputs((*l)->rows == 0 ? "[]\n" : "\n]\n", stdout);
    ok = fflush(stdout) == 0 && !ferror(stdout) && !(*l)->failed;
    memory_free(l);
    return ok;
}

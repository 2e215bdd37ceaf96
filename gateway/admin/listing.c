#include "admin/listing.h"

#include "base/json.h"
#include "base/memory.h"

#include <stdio.h>

struct listing {
    bool json;
    size_t rows;
    struct json *row; /* NULL between rows */
};

struct listing *listing_open(bool json)
{
    struct listing *l = memory_new(sizeof *l);

    l->json = json;
    return l;
}

static struct json *row(struct listing *l)
{
    if (l->row == NULL)
        l->row = json_new_object();
    return l->row;
}

void listing_str(struct listing *l, const char *key, struct str value)
{
    if (l->json)
        json_put_str(row(l), key, value);
}

void listing_text(struct listing *l, const char *key, const char *value)
{
    if (l->json && value == NULL)
        json_put_null(row(l), key);
    else if (l->json)
        json_put_str(row(l), key, str_of(value));
}

void listing_number(struct listing *l, const char *key, int64_t value)
{
    if (l->json)
        json_put_number(row(l), key, value);
}

void listing_real(struct listing *l, const char *key, double value)
{
    if (l->json)
        json_put_real(row(l), key, value);
}

void listing_bool(struct listing *l, const char *key, bool value)
{
    if (l->json)
        json_put_bool(row(l), key, value);
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
        size_t length = str_character(text);

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
    struct buf text = {0};

    if (l->row == NULL)
        return;
    fputs(l->rows++ == 0 ? "[\n" : ",\n", stdout);
    json_write(l->row, &text);
    fwrite(text.data, 1, text.length, stdout);
    buf_done(&text);
    json_free(&l->row);
}

bool listing_close(struct listing **l)
{
    bool ok;

    if (*l == NULL)
        return true;
    listing_end_row(*l);
    if ((*l)->json)
        fputs((*l)->rows == 0 ? "[]\n" : "\n]\n", stdout);
    ok = fflush(stdout) == 0 && !ferror(stdout);
    memory_free(l);
    return ok;
}

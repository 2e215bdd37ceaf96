#include "base/buf.h"

#include "base/memory.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

void buf_init(struct buf *b, size_t limit)
{
    *b = (struct buf){.limit = limit};
}

void buf_done(struct buf *b)
{
    memory_free(&b->data);
    *b = (struct buf){.limit = b->limit};
}

void buf_clear(struct buf *b)
{
    b->length = 0;
    b->full = false;
}

char *buf_room(struct buf *b, size_t length)
{
    size_t need = b->length + length;

    if (need < length || (b->limit > 0 && need > b->limit)) {
        b->full = true;
        return NULL;
    }
    if (need + 1 > b->capacity) {
        size_t capacity = b->capacity > 0 ? b->capacity * 2 : 64;

        if (capacity < need + 1)
            capacity = need + 1;
        b->data = memory_resize(b->data, capacity);
        b->capacity = capacity;
    }
    return b->data + b->length;
}

void buf_grew(struct buf *b, size_t length)
{
    b->length += length;
}

void buf_add(struct buf *b, struct str s)
{
    char *room;

    if (s.length == 0 || (room = buf_room(b, s.length)) == NULL)
        return;
    memcpy(room, s.data, s.length);
    buf_grew(b, s.length);
}

void buf_add_text(struct buf *b, const char *text)
{
    buf_add(b, str_of(text));
}

void buf_add_byte(struct buf *b, char c)
{
    buf_add(b, (struct str){&c, 1});
}

void buf_add_number(struct buf *b, int64_t number)
{
    buf_print(b, "%" PRId64, number);
}

void buf_print_args(struct buf *b, const char *format, va_list args)
{
    va_list again;
    char *room;
    int length;

    va_copy(again, args);
    length = vsnprintf(NULL, 0, format, args);
    if (length > 0 && (room = buf_room(b, (size_t)length)) != NULL) {
        vsnprintf(room, (size_t)length + 1, format, again);
        buf_grew(b, (size_t)length);
    }
    va_end(again);
}

void buf_print(struct buf *b, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    buf_print_args(b, format, args);
    va_end(args);
}

struct str buf_str(const struct buf *b)
{
    return (struct str){b->data, b->length};
}

const char *buf_text(struct buf *b)
{
    if (b->data == NULL)
        return "";
    b->data[b->length] = '\0';
    return b->data;
}

/*
 * buf - bytes that grow at the end, owned by whoever holds the struct.
 *
 * A zeroed struct buf is an empty one without a limit.  With a limit, an append that would pass it appends nothing and sets `full`,
 * which stays set: append everything, then test once.  data is NOT closed by a NUL; buf_text adds one.  Nothing blocks.
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include "base/str.h"

#include <stdarg.h>

struct buf {
    char *data;
    size_t length, capacity;
    size_t limit; /* most bytes it may hold; 0: as many as the caller appends */
    bool full;
};

void buf_init(struct buf *b, size_t limit);
void buf_done(struct buf *b);
void buf_clear(struct buf *b); /* keeps the memory */

void buf_add(struct buf *b, struct str s);
void buf_add_text(struct buf *b, const char *text);
void buf_add_byte(struct buf *b, char c);
void buf_add_number(struct buf *b, int64_t number);
void buf_print(struct buf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
void buf_print_args(struct buf *b, const char *format, va_list args) __attribute__((format(printf, 2, 0)));

/* Room for LENGTH more bytes at the end, NULL when the limit forbids it; buf_grew tells how many were written there. */
char *buf_room(struct buf *b, size_t length);
void buf_grew(struct buf *b, size_t length);

struct str buf_str(const struct buf *b);
const char *buf_text(struct buf *b); /* NUL-closed, valid until the next append */

#endif

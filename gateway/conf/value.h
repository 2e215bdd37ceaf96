/*
 * value - how booleans, numbers, sizes and times are written in the configuration.
 *
 * The readers take the whole of TEXT or answer false; they accept no sign, no blank and no base but ten.  The writers append the shortest
 * form that the reader takes back to the same number.  Sizes are bytes, times milliseconds.  Nothing here blocks.
 */
#ifndef CONF_VALUE_H
#define CONF_VALUE_H

#include "base/buf.h"

bool value_read_bool(struct str text, bool *value);       /* true false yes no on off 1 0, any case */
bool value_read_number(struct str text, int64_t *value);  /* digits */
bool value_read_size(struct str text, int64_t *value);    /* digits, then K, M or G (powers of 1024) or nothing */
/* Digits, then s, m, h or d; a bare number counts UNIT milliseconds. */
bool value_read_time(struct str text, int64_t unit, int64_t *value);

void value_write_size(struct buf *to, int64_t bytes);
void value_write_time(struct buf *to, int64_t milliseconds);

/* TEXT in double quotes for a message: bytes that a terminal would obey become \xNN, a long text is cut. */
void value_quote(struct buf *to, struct str text);

#endif

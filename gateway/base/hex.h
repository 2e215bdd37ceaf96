/*
 * hex - bytes as pairs of hexadecimal digits.  Pure functions.
 */
#ifndef BASE_HEX_H
#define BASE_HEX_H

#include "base/str.h"

/* Lower case, 2 * SIZE digits; no NUL behind. */
void hex_write(const unsigned char *bytes, size_t size, char *to);
/* Either case; false unless TEXT is 2 * SIZE digits. */
bool hex_read(struct str text, unsigned char *to, size_t size);

#endif

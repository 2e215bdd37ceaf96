/*
 * base64 - bytes as letters (RFC 4648 section 4).
 *
 * Reading is strict: the padding must be there and its spare bits zero, and nothing else may stand in between.  Pure functions.
 */
#ifndef BASE_BASE64_H
#define BASE_BASE64_H

#include "base/buf.h"

void base64_encode(struct str bytes, struct buf *to);
/* Appends the bytes; false, with nothing appended, for what is no base64. */
bool base64_decode(struct str text, struct buf *to);

#endif

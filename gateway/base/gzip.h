/*
 * gzip - bytes compressed into a gzip file (RFC 1952): the only file that knows zlib.
 *
 * The file names no time and no system: the same bytes give the same file.
 */
#ifndef BASE_GZIP_H
#define BASE_GZIP_H

#include "base/buf.h"

/* Appends the file with BYTES. */
void gzip_write(struct str bytes, struct buf *to);

#endif

/*
 * listing - the output of a command that lists things, as lines or as JSON.
 *
 * A listing is a JSON array of objects with --json, and the lines that listing_line prints without it; a caller says both and the struct
 * picks.  Bytes from outside are escaped for a terminal and for JSON (broken UTF-8 becomes U+FFFD there).  Objects are written as they end,
 * so a long listing costs no memory.  Standard output is buffered; listing_close says whether it could be written.
 */
#ifndef ADMIN_LISTING_H
#define ADMIN_LISTING_H

#include "base/str.h"

struct listing;

struct listing *listing_open(bool json);
void listing_str(struct listing *l, const char *key, struct str value);
void listing_text(struct listing *l, const char *key, const char *value); /* NULL: null */
void listing_number(struct listing *l, const char *key, int64_t value);
void listing_real(struct listing *l, const char *key, double value);
void listing_bool(struct listing *l, const char *key, bool value);
/* The line for people, to which a newline is added; control bytes in what it prints become `?`. */
void listing_line(struct listing *l, const char *format, ...) __attribute__((format(printf, 2, 3)));
void listing_end_row(struct listing *l);
bool listing_close(struct listing **l);

#endif

/*
 * reply - SMTP replies as data, for both ends of the wire (RFC 5321 section 4.2).
 *
 * Writing: one status as one line, with its enhanced code behind the number (RFC 2034).  Reading: a multi-line reply of any number of lines
 * up to REPLY_LINES_MAX and of any length up to REPLY_OCTETS_MAX; its text becomes one status of which the first STATUS_TEXT_SIZE printable
 * bytes are kept.  The caller may look at each line as it comes (EHLO keywords).
 */
#ifndef SMTP_REPLY_H
#define SMTP_REPLY_H

#include "base/status.h"
#include "net/stream.h"

enum { REPLY_LINE_MAX = 4096, REPLY_LINES_MAX = 1000, REPLY_OCTETS_MAX = 256 << 10 };

void reply_put(struct stream *s, const struct status *status);

/* TEXT of one line after code and separator, borrowed. */
typedef void (*reply_line)(void *context, struct str text);

enum reply_result { REPLY_READ, REPLY_MALFORMED, REPLY_TOO_BIG, REPLY_FAULT };

/* Blocks up to s->deadline.  EACH may be NULL.  The reply is in *STATUS when REPLY_READ is returned. */
enum reply_result reply_read(struct stream *s, struct status *status, reply_line each, void *context);

/* One line: its code, whether more lines follow, and its text.  False when it is none. */
bool reply_parse_line(struct str line, int *code, bool *more, struct str *text);

#endif

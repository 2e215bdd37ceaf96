/*
 * mime - text that others wrote, in the fields and parts of a report.
 *
 * Whatever is handed in comes out as lines that cannot be taken for something else: no control byte, no byte over 127 where there may be
 * none, lines within the limits (RFC 5322 section 2.1.1).  Pure functions that append.
 */
#ifndef REPORT_MIME_H
#define REPORT_MIME_H

#include "base/buf.h"

enum { MIME_TEXT_MAX = 800, MIME_LINE_MAX = 998 };

/* TEXT on one line, up to MIME_TEXT_MAX octets of it: control bytes and what is no UTF-8 become `?`, a tab a space; all beyond ASCII too
 * unless UTF8. */
void mime_clean(struct str text, bool utf8, struct buf *to);

/* NAME: VALUE, cleaned, folded at spaces; nothing when VALUE is blank. */
void mime_field(struct buf *to, const char *name, struct str value, bool utf8);
/* The same for a value that must keep its spaces: never folded. */
void mime_exact_field(struct buf *to, const char *name, struct str value, bool utf8);
/* The same for unstructured text in UTF-8: beyond ASCII it is written in encoded words (RFC 2047) unless UTF8. */
void mime_unstructured(struct buf *to, const char *name, struct str value, bool utf8);

/* VALUE in UTF-8 with its encoded words read (RFC 2047); those in character sets that we do not know stay as they are. */
void mime_decode_words(struct str value, struct buf *to);

/* All lines are within MIME_LINE_MAX; they end with CRLF. */
bool mime_lines_fit(struct str text);
/* TEXT, with CRLF between its lines, in quoted-printable (RFC 2045 section 6.7). */
void mime_quoted_printable(struct str text, struct buf *to);

#endif

/*
 * line - the one reader of SMTP lines, for commands and for replies (RFC 5321 section 2.3.8).
 *
 * A line ends in CR LF.  A bare LF also ends the piece that it closes, so that its sender gets an answer, but it is reported as what it is.
 * The text comes without its end, borrowed until the next call.  A line longer than MAX octets (end included) is swallowed up to its CR LF
 * in bounded memory, and only its first octets are handed out; one that has not ended after LINE_SWALLOW_MAX octets is a fault of its own.
 */
#ifndef SMTP_LINE_H
#define SMTP_LINE_H

#include "net/stream.h"

enum { LINE_SWALLOW_MAX = 1 << 20 };

enum line_result {
    LINE_READ,
    LINE_BARE_LF,
    LINE_TOO_LONG, /* swallowed; the line is its first octets */
    LINE_ENDLESS,
    LINE_FAULT /* see stream->fault */
};

enum line_result line_read(struct stream *s, size_t max, struct str *line);

#endif

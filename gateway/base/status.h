/*
 * status - the one way to say how it went.
 *
 * Policy, queue, SMTP client, and everything else whose answer a person or a peer may see, return a struct status by value.  The session
 * prints it as a reply, the scheduler reads its first digit, a report copies it.  `code` is an SMTP reply code (RFC 5321 section 4.2), or 0
 * in a zeroed struct, which counts as success.  The enhanced code (RFC 3463) is class.subject.detail; class 0 means "none given".
 * `text` is printable, one line, bounded: control bytes become `?`, so it can go into a reply, a log or the queue as it is.
 */
#ifndef BASE_STATUS_H
#define BASE_STATUS_H

#include "base/buf.h"

enum { STATUS_TEXT_SIZE = 512 };

struct status {
    short code;
    short class, subject, detail;
    bool from_peer; /* the words are those of a server that we spoke to, */
    bool coined;    /* but the enhanced code is ours: it gave none, or one that does not fit */
    char text[STATUS_TEXT_SIZE];
};

/* ENHANCED is "5.1.1", or "" for none. */
struct status status_make(int code, const char *enhanced, const char *format, ...) __attribute__((format(printf, 3, 4)));
struct status status_ok(void);

bool status_is_ok(const struct status *s);        /* 2xx, 3xx or 0 */
bool status_is_temporary(const struct status *s); /* 4xx */
bool status_is_permanent(const struct status *s); /* 5xx */

/* "5.1.1 " in TO, or "" when there is none; TO has at least STATUS_ENHANCED_SIZE bytes. */
enum { STATUS_ENHANCED_SIZE = 16 };
void status_enhanced(const struct status *s, char *to);

/* Reads an enhanced code such as "5.1.1" at the start of TEXT; returns its length, 0 when there is none (RFC 3463 section 2). */
size_t status_parse_enhanced(struct str text, struct status *s);

/* The text as people read it later: with its code in front where it is a server's. */
enum { STATUS_QUOTED_SIZE = STATUS_TEXT_SIZE + 32 };
void status_quote(const struct status *s, char *to);

/* Takes TEXT as the text of S, made printable and cut to what fits. */
void status_set_text(struct status *s, struct str text);

#endif

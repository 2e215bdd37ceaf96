/*
 * dsn_original - the message that a report is about, as the report's third part (RFC 3462 section 1 and 2; RFC 6533 section 5).
 *
 * All of it, if dsn_returns_content says so and it is there and has no NUL and no bare CR or LF; else its header, up to DSN_HEADER_MAX
 * octets and to the first line that is no field, in lines that every server takes.
 */
#ifndef REPORT_DSN_ORIGINAL_H
#define REPORT_DSN_ORIGINAL_H

#include "report/dsn.h"

enum { DSN_HEADER_MAX = BODY_PIECE };

struct dsn_original {
    bool whole;
    bool eight_bit; /* WHOLE, and it has bytes over 127 */
    struct buf header;
    struct buf message_id; /* <…>, empty: none that is well formed */
    struct buf subject;    /* UTF-8; empty: none */
};

void dsn_original_read(struct dsn_original *o, const struct dsn *d);
void dsn_original_done(struct dsn_original *o);

/* Appends the part with its own header. */
void dsn_original_write(const struct dsn_original *o, const struct dsn *d, struct body *message);

#endif

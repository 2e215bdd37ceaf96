/*
 * completion - the fields that a submitted message needs and may lack (RFC 6409 section 8): Date and Message-ID.
 *
 * A filter in front of the body: what it is fed, in pieces of any size, goes on to the sink, with the missing fields behind the last line
 * of the header.  A message whose first line is no field has no header: the fields and an empty line come in front of it.  A line is held
 * back only until it shows what it is.
 */
#ifndef MESSAGE_COMPLETION_H
#define MESSAGE_COMPLETION_H

#include "base/buf.h"
#include "smtp/data.h"

enum { COMPLETION_HELD = 128, COMPLETION_FIELD = 512 };

struct completion {
    bool ended;  /* what is left passes as it is */
    bool inside; /* behind the beginning of a line */
    bool headed; /* a field has been seen */
    size_t held_length;
    char held[COMPLETION_HELD];
    unsigned seen; /* fields, by place */
    char date[COMPLETION_FIELD], message_id[COMPLETION_FIELD];
};

/* ID and ME make the Message-ID, ARRIVED (clock_wall) the date. */
void completion_init(struct completion *c, int64_t id, int64_t arrived, const char *me);
void completion_take(struct completion *c, struct str content, data_sink sink, void *context);
/* The content is over. */
void completion_end(struct completion *c, data_sink sink, void *context);

#endif

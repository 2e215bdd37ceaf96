/*
 * rate - so many in a time, read: "100/minute".
 *
 * The units are second, minute and hour, in full or by their first letter; an empty text is no limit.
 */
#ifndef CONF_RATE_H
#define CONF_RATE_H

#include "base/buf.h"

#include <stdint.h>

enum { RATE_MOST = 1000000, RATE_TEXT_SIZE = 32 };

struct rate {
    int64_t count; /* 0: no limit */
    int64_t ms;    /* 1000, 60000 or 3600000 */
};

bool rate_parse(struct rate *r, struct str text);
/* "100/minute"; "" for no limit.  TO has RATE_TEXT_SIZE bytes. */
void rate_text(const struct rate *r, char *to);

#endif

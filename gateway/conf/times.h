/*
 * times - a list of times, read: "1m;5m;15m".
 *
 * Items stand between `;` or `,`; a bare number means seconds.  times_parse appends a line to ERRORS for each item that is none.
 */
#ifndef CONF_TIMES_H
#define CONF_TIMES_H

#include "base/buf.h"

#include <stdint.h>

enum { TIMES_MAX = 32 };

struct times {
    int64_t ms[TIMES_MAX];
    size_t count;
};

bool times_parse(struct times *t, struct str text, struct buf *errors);

#endif

/*
 * tls_day - days of UTC, which TLS reports cover (RFC 8460 section 4.1): "2026-11-21".
 */
#ifndef REPORT_TLS_DAY_H
#define REPORT_TLS_DAY_H

#include "base/str.h"

enum { TLS_DAY_SIZE = 16, TLS_DAY_MS = 24 * 3600 * 1000 };

/* The day of WALL (clock_wall). */
void tls_day_text(int64_t wall, char to[TLS_DAY_SIZE]);
/* Its first millisecond; false for anything but what tls_day_text writes. */
bool tls_day_read(struct str day, int64_t *begin);

#endif

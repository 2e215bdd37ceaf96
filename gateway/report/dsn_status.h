/*
 * dsn_status - the part of a report that is made for programs (RFC 3464; RFC 6533 section 3 and 4 for addresses beyond ASCII).
 *
 * Printable lines whatever the fields hold; with UTF8 it is message/global-delivery-status, where addresses and replies show themselves,
 * else ASCII, where an address beyond it is written as RFC 6533's utf-8-addr-xtext.
 */
#ifndef REPORT_DSN_STATUS_H
#define REPORT_DSN_STATUS_H

#include "report/dsn.h"

/* Appends the fields of the message. */
void dsn_status_message(const struct dsn *d, bool utf8, struct buf *to);
/* Appends an empty line and the fields of R. */
void dsn_status_recipient(const struct dsn_recipient *r, bool utf8, struct buf *to);

#endif

/*
 * header - what a relay must see of a header section (RFC 5322 section 2.2) while it passes by.
 *
 * A struct header_scan is fed the content in pieces of any size.  It counts Received fields, for the loop limit (RFC 5321 section 6.3), and
 * notes bytes over 127 in the header, which make a message need SMTPUTF8 (RFC 6532).  It keeps no text and stops at the empty line.
 */
#ifndef MESSAGE_HEADER_H
#define MESSAGE_HEADER_H

#include "base/str.h"

struct header_scan {
    bool ended;
    bool eight_bit;
    int received;
    size_t column; /* octets of the line seen */
    size_t matched; /* octets of "received:" seen */
    bool matches;   /* so far the line reads like that */
};

void header_scan_init(struct header_scan *h);
void header_scan(struct header_scan *h, struct str content);

#endif

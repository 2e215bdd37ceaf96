/*
 * field - the text of the header fields of one name, kept while the content passes by.
 *
 * A struct field_scan is fed the content in pieces of any size.  It keeps the bodies of all fields of that name, unfolded, each ended by a
 * newline, up to FIELD_KEPT octets; `text.full` says that there was more.  It stops at the empty line.
 */
#ifndef MESSAGE_FIELD_H
#define MESSAGE_FIELD_H

#include "base/buf.h"

enum { FIELD_KEPT = 16 << 10 };

struct field_scan {
    const char *name; /* in lower case */
    int count;        /* fields of that name */
    struct buf text;
    bool ended;
    enum { FIELD_NAME, FIELD_BODY, FIELD_OTHER } state; /* of the line */
    bool kept;        /* the field that goes on is of that name */
    size_t column, matched;
};

void field_scan_init(struct field_scan *f, const char *name);
void field_scan_done(struct field_scan *f);
void field_scan(struct field_scan *f, struct str content);

#endif

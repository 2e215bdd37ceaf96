/*
 * dns_capture - what libunbound says on the standard error output while it reads its settings: it has no other way to say where a file is
 * wrong.  Between begin and end that output of the whole process goes into memory.
 */
#ifndef NET_DNS_CAPTURE_H
#define NET_DNS_CAPTURE_H

#include "base/buf.h"

struct dns_capture {
    int kept, memory; /* -1: there is nothing to give back */
};

void dns_capture_begin(struct dns_capture *c);
/* Appends what was said to SAID. */
void dns_capture_end(struct dns_capture *c, struct buf *said);
/* The first complaint in what was said: what stands behind "error: ", or all of a line that begins with a file's name; "" for none. */
struct str dns_capture_complaint(struct str said);
/* Says again what others than libunbound said. */
void dns_capture_pass_on(struct str said);

#endif

/*
 * shape - the reason of a deferral without what differs from one mail to the next.
 *
 * Addresses, what stands in angle or square brackets, numbers that stand alone, IP addresses and words that look like ids become `*`, so
 * that the same refusal of a thousand recipients is one: "<a@b.example>: try again in 300 seconds (id 4bQ7x2zyc)" and its sisters are
 * "<*>: try again in * seconds (id *)".  Codes such as 4.7.1 stay.  The text is for counting and for people, nothing else.
 */
#ifndef QUEUE_SHAPE_H
#define QUEUE_SHAPE_H

#include "base/buf.h"

enum { SHAPE_SIZE = 200 }; /* bytes that a shape has at most, but for the rest of its last word */

/* Appends the shape of REASON. */
void shape_add(struct buf *to, struct str reason);

#endif

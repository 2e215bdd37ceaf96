/*
 * prepare - logins and passwords as SASL compares them: SASLprep (RFC 4013), and the only file that knows libidn.
 *
 * ASCII without control characters is its own form.  Characters that Unicode 3.2 did not have stay as they are, as RFC 3454 section 7
 * has it for queries; RFC 5802 section 2.2 would rather have no SCRAM at all for a password with one.
 */
#ifndef SASL_PREPARE_H
#define SASL_PREPARE_H

#include "base/buf.h"

/* Appends TEXT in its prepared form; false, with nothing appended, for what RFC 4013 prohibits, is not UTF-8, or becomes empty. */
bool sasl_prepare(struct str text, struct buf *to);

#endif

/*
 * xtext - the encoding of ENVID and ORCPT (RFC 3461 section 4), and what else may stand in them.
 *
 * Values are kept and passed on encoded, as they came; these functions say whether they are well-formed, and make new ones.  Pure.
 */
#ifndef SMTP_XTEXT_H
#define SMTP_XTEXT_H

#include "base/buf.h"

bool xtext_is_valid(struct str s); /* "!"-"~" without "+" and "=", or "+" and two upper-case hex digits */
bool xtext_is_envid(struct str s); /* RFC 3461 section 4.4: at most 100 octets */
/* RFC 3461 section 4.2: addr-type ";" xtext, at most 500 octets; with UTF-8 RFC 6533's utf-8-address. */
bool xtext_is_orcpt(struct str s, bool smtputf8);
/* The octets behind S, added to TO; false for what is not xtext. */
bool xtext_read(struct str s, struct buf *to);
void xtext_write(struct str s, struct buf *to); /* any octets, encoded */

#endif

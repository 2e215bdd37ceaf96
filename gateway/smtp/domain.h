/*
 * domain - domain names in the one form in which they are compared and stored.
 *
 * That form is the A-label form in lower case without a final dot (RFC 5890; libidn2, non-transitional UTS 46), or an address literal in
 * its RFC 5321 section 4.1.3 spelling.  A domain is compared in this form and in no other.  Nothing here asks DNS.
 */
#ifndef SMTP_DOMAIN_H
#define SMTP_DOMAIN_H

#include "base/str.h"
#include "net/address.h"

enum { DOMAIN_MAX = 255, DOMAIN_SIZE = 256 };

/* TO has DOMAIN_SIZE bytes.  False for what is no domain by RFC 5321 section 4.1.2 (letters, digits, hyphens and, as mail out there has it,
 * underscores; labels of 1-63 octets) and no address literal. */
bool domain_normalize(struct str domain, char *to);
bool domain_is_literal(struct str domain, struct address *address); /* [192.0.2.1], [IPv6:2001:db8::1] */

#endif

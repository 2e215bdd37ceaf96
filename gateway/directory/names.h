/*
 * names - addresses and logins in the one form in which the tables hold them.
 *
 * Domains are in the form of domain_normalize.  Local parts and logins compare without ASCII case and are kept in lower case; bytes over
 * 127 compare as they are.  A local part that needs quotes (RFC 5321 section 4.1.2) keeps them, and no others.  Nothing blocks or fails
 * but where a bool says so.
 */
#ifndef DIRECTORY_NAMES_H
#define DIRECTORY_NAMES_H

#include "base/arena.h"
#include "smtp/domain.h"

enum { NAME_SIZE = 640 }; /* the longest address, quoted throughout */

/* LOCAL@DOMAIN; TO has NAME_SIZE bytes.  False, and "" in TO, for what is no address. */
bool name_address(struct str text, char *to);
/* An address, or a word of printable bytes without an @. */
bool name_login(struct str text, char *to);
/* LOGIN as a table would have it: in TO (NAME_SIZE bytes), or as it is, for an earlier tmail took what is none. */
struct str name_stored_login(struct str login, char *to);
/* An address or a domain: what a sender condition and an alias may be. */
bool name_address_or_domain(struct str text, char *to);
/* Login or login's domain: an address, a domain, or a word. */
bool name_user(struct str text, char *to);

/* What stands behind the last @, and before it; both empty when there is none. */
struct str name_domain(struct str address);
struct str name_local(struct str address);

/* LOCAL@DOMAIN of parts that were read before: LOCAL in lower case, DOMAIN in normal form already. */
struct str name_join(struct str local, struct str domain, struct arena *arena);

#endif

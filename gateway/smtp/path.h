/*
 * path - reverse-paths and forward-paths (RFC 5321 section 4.1.2, RFC 6531 section 3.3).
 *
 * Parsing takes the argument of MAIL FROM: or RCPT TO: and leaves what follows the path (its parameters).  A source route is read and
 * forgotten (section 4.1.1.3 and appendix C).  Angle brackets may be missing, as many clients have it.  Quoted local parts are compared by
 * what they mean: `local` is unquoted, and quoted again only where it must be.  All strings live in the arena.
 *
 * Nothing that parses holds a control byte, and what holds a byte over 127 is well-formed UTF-8 and says so in `utf8`.
 */
#ifndef SMTP_PATH_H
#define SMTP_PATH_H

#include "base/arena.h"
#include "smtp/domain.h"

enum { PATH_MAX_OCTETS = 256, PATH_LOCAL_MAX = 64 }; /* RFC 5321 section 4.5.3.1 */

struct path {
    struct str address; /* LOCAL@DOMAIN as it is sent on; empty for the null sender */
    struct str local;   /* what the local part means, without quotes */
    struct str domain;  /* as typed; empty for <postmaster> */
    struct str host;    /* domain in normal form */
    bool utf8;
};

enum path_result { PATH_OK, PATH_SYNTAX, PATH_TOO_LONG, PATH_LOCAL_TOO_LONG, PATH_BAD_DOMAIN };

/* REST starts at the path and is moved behind it.  LOCAL_MAX bounds the local part (0: only by the path). */
enum path_result path_parse(struct path *p, struct str *rest, size_t local_max, struct arena *arena);
/* One address without brackets and nothing else, as in a database or on a command line. */
enum path_result path_parse_address(struct path *p, struct str address, struct arena *arena);
/* LOCAL@DOMAIN with the local part quoted where it must be. */
struct str path_format(struct str local, struct str domain, struct arena *arena);

bool path_is_null(const struct path *p);
bool path_is_postmaster(const struct path *p); /* <postmaster>, any case, without a domain */

#endif

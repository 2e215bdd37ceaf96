/*
 * dsn_facts - what the parts of a report say alike of a message and its recipients (dsn.h).
 *
 * What they hand out may hold any byte: others wrote it.  Pure functions.
 */
#ifndef REPORT_DSN_FACTS_H
#define REPORT_DSN_FACTS_H

#include "report/dsn.h"

enum { DSN_ACTIONS = DSN_RELAYED + 1, DSN_STATUS_SIZE = 16 };

/* "failed" and so on (RFC 3464 section 2.3.3). */
const char *dsn_action_name(enum dsn_action action);
/* The one that the report is about first: failed before delayed before delivered before relayed. */
enum dsn_action dsn_first_action(const struct dsn *d);

/* The enhanced code of R where it is one and fits the action and the reply (RFC 3463), else CLASS.0.0; a delivery that was given up may be
 * in class 4.  TO has DSN_STATUS_SIZE bytes. */
void dsn_status_code(const struct dsn_recipient *r, char *to);
/* The reason without the codes that may stand before it. */
struct str dsn_reason(const struct dsn_recipient *r);
/* The name of the host that it spoke to, its address in brackets if that is all there is; empty: nobody. */
struct str dsn_host(const struct dsn_recipient *r);

/* Appends ENVID as the sender gave it (RFC 3461 section 4.4); false, with nothing appended, unless all of it is printable ASCII. */
bool dsn_envid(const struct dsn *d, struct buf *to);
/* The same for ORCPT (section 4.2): *TYPE is the kind of address.  UTF-8 is let through for type utf-8 (RFC 6533 section 3). */
bool dsn_orcpt(const struct dsn_recipient *r, struct str *type, struct buf *address);

#endif

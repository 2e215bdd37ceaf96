/*
 * listeners - the list of TMAIL_SMTPD_DSNS, read.
 *
 * Items are IP:PORT:SSL[:MODE], separated by `;` or `,`; an IPv6 address stands in brackets.  A mode that this version cannot serve is
 * refused here rather than ignored.  Items live in the caller's arena.  Nothing is bound and nothing blocks.
 */
#ifndef CONF_LISTENERS_H
#define CONF_LISTENERS_H

#include "base/arena.h"
#include "base/buf.h"
#include "net/address.h"

/* As many as one configuration may have. */
enum { LISTENERS_MAX = 64 };

enum listener_mode { LISTENER_RELAY, LISTENER_SUBMISSION };

struct listener_spec {
    struct address address; /* with a port from 1 */
    bool tls;               /* from the first byte */
    enum listener_mode mode;
    bool proxy; /* a PROXY protocol header comes before SMTP */
};

struct listeners {
    struct listener_spec *items;
    size_t count;
};

/* False, with a line for each bad item appended to ERRORS (not NULL). */
bool listeners_parse(struct listeners *l, struct str text, struct arena *arena, struct buf *errors);

#endif

/*
 * sasl_list - the list of TMAIL_SMTPD_AUTH_MECHANISMS, read.
 *
 * Names separated by `,` or `;`, or `none`.  Names that we do not speak ourselves are kept, for a server that does (TMAIL_DOVECOT_AUTH); a
 * name that cannot be one (RFC 4422 section 3.1) is refused.
 */
#ifndef CONF_SASL_LIST_H
#define CONF_SASL_LIST_H

#include "base/buf.h"

enum { SASL_LIST_MAX = 32, SASL_LIST_NAME = 21 };

struct sasl_list {
    size_t count;
    char names[SASL_LIST_MAX][SASL_LIST_NAME]; /* in upper case, in the order of the list */
};

/* False, with a line for each bad item appended to ERRORS. */
bool sasl_list_parse(struct sasl_list *l, struct str text, struct buf *errors);
bool sasl_list_has(const struct sasl_list *l, const char *name);

#endif

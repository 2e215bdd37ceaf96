/*
 * params - the parameters behind MAIL FROM and RCPT TO (RFC 5321 section 4.1.2: esmtp-param), as data.
 *
 * Parsing is driven by tables of what this server offers: SIZE (RFC 1870), BODY (RFC 6152), SMTPUTF8 (RFC 6531), RET and ENVID, NOTIFY and
 * ORCPT (RFC 3461), AUTH (RFC 4954 section 5), whose value is read and forgotten.  On error the status to answer with says which parameter
 * it was: 555 for one that was never offered, 501 for a bad value or a second time.  Strings are borrowed from the line.
 */
#ifndef SMTP_PARAMS_H
#define SMTP_PARAMS_H

#include "base/status.h"

enum body_type { BODY_7BIT, BODY_8BITMIME };
enum ret_type { RET_NONE, RET_FULL, RET_HDRS };
enum { NOTIFY_NEVER = 1, NOTIFY_SUCCESS = 2, NOTIFY_FAILURE = 4, NOTIFY_DELAY = 8 };

struct mail_params {
    uint64_t size; /* 0: not given */
    enum body_type body;
    bool smtputf8;
    enum ret_type ret;
    struct str envid;
    bool auth; /* an AUTH parameter was there */
};

struct rcpt_params {
    unsigned notify; /* NOTIFY_*; 0: not given */
    struct str orcpt;
};

struct status params_parse_mail(struct mail_params *p, struct str text);
struct status params_parse_rcpt(struct rcpt_params *p, struct str text, bool smtputf8);

/* "SUCCESS,FAILURE" and back, for the wire and the queue; TO has PARAMS_NOTIFY_SIZE bytes. */
enum { PARAMS_NOTIFY_SIZE = 40 };
void params_notify_text(unsigned notify, char *to);
bool params_parse_notify(struct str text, unsigned *notify);

#endif

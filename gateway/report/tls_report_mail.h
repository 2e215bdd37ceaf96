/*
 * tls_report_mail - a TLS report as a message (RFC 8460 section 5.3).
 *
 * It comes from the null sender, so that nothing ever answers it, and goes out in spite of what is wrong with TLS: by the envelope's flag
 * here, by TLS-Required (RFC 8689) further on.  Message-ID is the report id: the same report is the same message.
 */
#ifndef REPORT_TLS_REPORT_MAIL_H
#define REPORT_TLS_REPORT_MAIL_H

#include "message/envelope.h"
#include "report/tls_report.h"
#include "report/tls_report_address.h"

/* Appends the message; ARCHIVE is the gzipped JSON, NOW the date (clock_wall). */
void tls_report_mail_write(const struct tls_report *r, const struct tls_report_addresses *to, struct str archive, int64_t now,
                           struct buf *message);
/* An envelope for it, with a queue id of its own, in ARENA. */
void tls_report_mail_address(const struct tls_report *r, const struct tls_report_addresses *to, int64_t now, struct arena *arena, struct envelope *e);

#endif

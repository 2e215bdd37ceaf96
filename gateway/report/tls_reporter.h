/*
 * tls_reporter - sends the TLS reports of days that are over (RFC 8460 section 5).
 *
 * The table tls_reports says what is to do: a row for each report, due at a moment within the first hours of the next day that depends on the
 * domain; when its addresses are known the mail is queued and the row done, and each https address gets a row of its own, which is tried
 * again for most of a day.  A row is claimed by a transaction for a time longer than an attempt, so that of several processes one sends it.
 * When all rows of a report are done the results are removed; the row without an address stays for some days, so that results which come
 * late start no second report.  What is more than two days over is not sent any more.
 */
#ifndef REPORT_TLS_REPORTER_H
#define REPORT_TLS_REPORTER_H

#include "conf/conf.h"
#include "directory/tables.h"
#include "net/dns.h"

struct tls_reporter;

/* Starts a thread that looks now and every few minutes, until the stop.  CONF and DNS stay.  NULL where conf->tlsrpt is false. */
struct tls_reporter *tls_reporter_start(const struct conf *conf, struct dns *dns);
/* After the stop: blocks for some seconds, so that what is being sent is not sent again by the next process.  R may be NULL. */
void tls_reporter_wait(struct tls_reporter *r);

/* What became of a report at one place: WHERE is a mail address, a URL, or "" for the report as such. */
struct tls_report_news {
    const char *day, *domain, *where;
    enum tls_report_step { TLS_REPORT_QUEUED, TLS_REPORT_POSTED, TLS_REPORT_NO_ADDRESS, TLS_REPORT_LATER, TLS_REPORT_GIVEN_UP } step;
    const char *reason; /* of the last two */
};

typedef void (*tls_report_listener)(void *context, const struct tls_report_news *news);

/* Sends what is there of days that are over, of DOMAIN alone where it is not "", without waiting for its time.  What another process has in
 * hand is left to it. */
struct status tls_reporter_send(const struct conf *conf, struct dns *dns, struct tables *t, const char *domain, tls_report_listener listener,
                                void *context);

/* TMAIL_TLSRPT_CONTACT, or postmaster at TMAIL_ME. */
void tls_reporter_contact(const struct conf *conf, struct buf *to);

#endif

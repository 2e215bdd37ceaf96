/*
 * tls_report - what a domain is told of one day: RFC 8460 section 4.4, as JSON.
 *
 * Texts of the rows come from other people's servers and DNS; the JSON holds them escaped and bounded (tls_results.c), bytes that are not
 * UTF-8 as U+FFFD.  A domain and a day always give the same report id, so that whoever gets a report twice sees that it is the same one.
 */
#ifndef REPORT_TLS_REPORT_H
#define REPORT_TLS_REPORT_H

#include "base/buf.h"
#include "report/tls_day.h"
#include "report/tls_rows.h"
#include "smtp/domain.h"

enum { TLS_REPORT_UNIQUE_SIZE = 17, TLS_REPORT_ID_SIZE = TLS_DAY_SIZE + TLS_REPORT_UNIQUE_SIZE + DOMAIN_SIZE };

struct tls_report {
    char day[TLS_DAY_SIZE], domain[DOMAIN_SIZE];
    int64_t begin, end;                  /* seconds since 1970, the first and the last of the day */
    const char *contact;                 /* LOCAL@DOMAIN; borrowed */
    char submitter[DOMAIN_SIZE];         /* the domain of the contact, as section 5.3 wants it */
    char unique[TLS_REPORT_UNIQUE_SIZE]; /* letters and digits */
    char id[TLS_REPORT_ID_SIZE];         /* LEFT@ME */
    int64_t successes, failures;
};

/* False for what is no day, or no domain that a report can be about.  ME and CONTACT are a domain in normal form and an address. */
bool tls_report_init(struct tls_report *r, struct str day, struct str domain, const char *me, const char *contact);
/* Appends the JSON made of the rows of T, and fills in the sums; nothing is appended when there are no rows. */
struct status tls_report_write(struct tls_report *r, struct tables *t, struct buf *json);
/* Section 5.1: SENDER!DOMAIN!BEGIN!END!UNIQUE.json.gz */
void tls_report_file_name(const struct tls_report *r, struct buf *to);

#endif

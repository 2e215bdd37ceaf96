/*
 * tls_rows - the rows of tls_results: how many sessions with a domain went in one way on one day.
 *
 * A success is a row without a failure, without hosts, addresses and reason.  A domain has at most TLS_ROWS_MOST rows a day with details:
 * what comes after them is added up without.  All calls block for the database.
 */
#ifndef REPORT_TLS_ROWS_H
#define REPORT_TLS_ROWS_H

#include "directory/tables.h"

enum { TLS_ROWS_MOST = 200 };

/* All is borrowed; empty where there is none.  `type` and `failure` are RFC 8460's words. */
struct tls_row {
    struct str day, domain, type;
    struct str policy, mx; /* lines */
    struct str failure, mx_host, local_ip, peer_ip, reason;
    int64_t sessions;
};

/* Inside a transaction. */
struct status tls_rows_add(struct tables *t, const struct tls_row *row);
/* Of a domain on a day, those under one policy one after another.  ROW changes nothing in T. */
struct status tls_rows_each(struct tables *t, struct str day, struct str domain, void (*row)(void *context, const struct tls_row *row),
                            void *context);

struct tls_row_sum {
    struct str day, domain, type;
    int64_t successes, failures;
};

struct status tls_rows_sums(struct tables *t, void (*sum)(void *context, const struct tls_row_sum *sum), void *context);
/* The newest day with rows of DOMAIN; "" when there is none. */
struct status tls_rows_newest(struct tables *t, struct str domain, char *day, size_t size);

struct status tls_rows_delete(struct tables *t, struct str day, struct str domain);
/* Of days before DAY, of none, and of no domain: not all that a database holds need come from here. */
struct status tls_rows_delete_before(struct tables *t, struct str day);

#endif

/*
 * tls_results - how TLS with each destination went, counted for its daily report (RFC 8460).
 *
 * A result is one session with one host of a destination, or an attempt that ended before there was one, under one policy.  tls_results_count
 * adds it up in memory, which any thread may do and which does not block; a thread of its own writes the sums to the database (tables
 * tls_results) every few seconds and when tls_results_flush is called.  Memory is bounded: beyond it a result is counted for its domain
 * without its details, and beyond that not at all.  Days are those of UTC.
 */
#ifndef REPORT_TLS_RESULTS_H
#define REPORT_TLS_RESULTS_H

#include "net/address.h"
#include "route/tls_failure.h"

#include <stdint.h>

enum tls_result_policy { TLS_RESULT_NO_POLICY, TLS_RESULT_TLSA, TLS_RESULT_STS };

/* All is borrowed; NULL where there is none. */
struct tls_result {
    const char *domain;      /* the destination, in normal form */
    enum tls_result_policy type;
    const char *policy;      /* STS: the policy's lines; TLSA: the records, a line each: "3 1 1 0123…" */
    const char *mx;          /* STS: the policy's patterns, a line each */
    const char *mx_host;
    const struct address *local, *peer;
    enum tls_failure failure;
    const char *reason;      /* failure-reason-code: free text */
};

struct tls_results;

struct tls_results *tls_results_new(const char *db_path);
void tls_results_count(struct tls_results *r, const struct tls_result *result);
/* Writes what is in memory; blocks for the database. */
void tls_results_flush(struct tls_results *r);

#endif

/*
 * tls_due - the rows of tls_reports: which TLS reports are to be sent, when, and who is at it.
 *
 * A report has a row with the empty uri, which stands for finding out where it goes and for its mail, and then one row for each https
 * address.  A row is claimed by a transaction for TLS_DUE_LEASE_MS, longer than an attempt may last; who died with it loses it by that.  A
 * row that is done stays without a time until its day is forgotten.  When no row of a report waits any more its results are removed.
 */
#ifndef REPORT_TLS_DUE_H
#define REPORT_TLS_DUE_H

#include "base/arena.h"
#include "directory/tables.h"
#include "report/tls_day.h"

enum { TLS_DUE_LEASE_MS = 15 * 60 * 1000, TLS_DUE_DAYS = 2 }; /* reports of so many days are sent */

struct tls_due {
    int64_t id, claimed;
    const char *day, *domain, *uri;
    int64_t attempts; /* with this one */
};

struct tls_due_wish {
    int64_t now;        /* clock_wall */
    const char *domain; /* "": any */
    bool early;         /* also what is not due yet */
};

/* Forgets what is too old, and gives every report of a day that is over its time: some minutes after the end of the day, and four hours
 * more or less by the domain and by ME, so that nobody gets the reports of all the world at once (RFC 8460 section 4.1). */
struct status tls_due_plan(struct tables *t, int64_t now, const char *me);
/* The first row after the one with the id AFTER that fulfils WISH and that nobody has.  *FOUND: there is one; its texts are in ARENA. */
struct status tls_due_claim(struct tables *t, const struct tls_due_wish *wish, int64_t after, struct arena *arena, struct tls_due *due,
                            bool *found);

/* What ends a claim.  Where it is ours no more nothing happens. */
struct status tls_due_done(struct tables *t, const struct tls_due *due, const char *const *https, size_t count, int64_t now);
struct status tls_due_later(struct tables *t, const struct tls_due *due, int64_t when);
struct status tls_due_give_back(struct tables *t, const struct tls_due *due); /* as if it had not been claimed */

#endif

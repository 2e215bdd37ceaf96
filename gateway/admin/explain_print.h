/*
 * explain_print - what `tmail explain` found, as JSON and as lines for people.
 *
 * An explanation borrows all that it holds.  Printing blocks for nothing but standard output.
 */
#ifndef ADMIN_EXPLAIN_PRINT_H
#define ADMIN_EXPLAIN_PRINT_H

#include "admin/explain_local.h"
#include "conf/rate.h"
#include "route/way.h"

struct explanation {
    const char *from, *to;
    struct str domain;      /* whose way it is, in normal form */
    const struct explain_local *local;
    const struct way *ways; /* of the hops, each looked at to its end */
    const struct rate *rates; /* of each hop (deliverd/rates.h) */
    size_t way_count;
    struct rate domain_rate;
    struct status verdict;
};

void explain_print_json(const struct explanation *e);
void explain_print_text(const struct explanation *e);

#endif

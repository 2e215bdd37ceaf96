/*
 * limits - how fast mail may go to a next hop or to a destination domain: rows of limits.
 *
 * A row names a hop or a domain and says so many messages in a time, or "none".  It comes before the configuration's rate, which it takes
 * the place of for that name alone.  A hop is a host as its route names it, or the destination domain where its MX is the way; without a
 * port the row is for each of its ports, and a row with one comes first.  Names are in normal form, equal or not.
 */
#ifndef DIRECTORY_LIMITS_H
#define DIRECTORY_LIMITS_H

#include "directory/directory.h"
#include "directory/tables.h"

enum { LIMIT_ANY_PORT = 0 };

/* A row as it is stored, or NAME and RATE as they were typed. */
struct limit_row {
    int64_t id;
    enum limit_kind kind;
    struct str name;
    int64_t port; /* LIMIT_ANY_PORT: for all; a domain has none other */
    struct str rate; /* rate_text, or "none" */
};

/* "hop", "domain" */
const char *limit_kind_name(enum limit_kind kind);
/* "none", or a rate as rate_parse takes it; false for what is neither, nothing included. */
bool limit_parse_rate(struct rate *rate, struct str text);

/* *RATE is that of the row, or no limit. */
enum answer limits_find(struct tables *t, const struct limit_question *question, struct rate *rate);

/* Takes the place of the row of that name and port. */
struct status limits_add(struct tables *t, const struct limit_row *r);
/* The rate is not looked at. */
struct status limits_del(struct tables *t, const struct limit_row *r);
struct status limits_list(struct tables *t, void (*row)(void *context, const struct limit_row *r), void *context);

#endif

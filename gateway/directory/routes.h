/*
 * routes - which next hop a message takes: rows of routes.
 *
 * A row has conditions (user, mail_from, host) and a next hop.  An empty condition holds for every message; host is `*` then.  The first
 * of these rules that has rows is the answer, with all its rows (INTERFACE section 4).  Where it says user, rows of the full login come
 * first, then rows of the login's domain:
 *      1. user + sender address + destination
 *      2. user + sender address
 *      3. user + sender domain + destination
 *      4. user + sender domain
 *      5. user + destination
 *      6. user
 *      7. destination
 *      8. the imported map (routes_import.h): the lowest map_order whose sender and destination hold
 *      9. *
 * Rules 2 and 4 are the rows without a destination of the rule before them.  A sender condition without a user holds only in the map;
 * the null sender meets none, in the map it is the word `bounce`.  Names are equal or not; nothing is a pattern.
 *
 * A route may log in at its next hop, with a password, which is stored sealed (secrets.h), or with tokens of an OAuth client (oauth.h).
 * Never in plain text: a login under the rule `none` is refused.  A route may be marked for senders that name the recipient (smtp/verp.h).
 */
#ifndef DIRECTORY_ROUTES_H
#define DIRECTORY_ROUTES_H

#include "directory/directory.h"
#include "directory/secrets.h"
#include "directory/tables.h"

enum { ROUTE_PORT_DEFAULT = 25, ROUTE_PRIORITY_DEFAULT = 1, ROUTE_NOT_IN_MAP = -1 };

/* A row as it is stored, or is to be; empty where the column is empty.  The password is written, and never read here. */
struct route_row {
    int64_t id;
    struct str host, remote_host, local_ips, login, password, tls, oauth, mail_from, user;
    int64_t port, priority;
    int64_t map_order; /* ROUTE_NOT_IN_MAP: made by hand */
    bool verp;
};

enum answer routes_find(struct tables *t, const struct route_question *question, struct arena *arena, struct route **routes, size_t *count);
/* The row ID, which somebody chose: its conditions are not looked at. */
enum answer routes_find_id(struct tables *t, int64_t id, struct arena *arena, struct route *route);

/* R as typed, its password in plain text; id and map_order are not looked at. */
struct status routes_add(struct tables *t, struct secrets *secrets, const struct route_row *r);
/* R in the form of the table, its password sealed, inside a change. */
struct status routes_insert(struct tables *t, const struct route_row *r);
struct status routes_del(struct tables *t, int64_t id);
struct status routes_list(struct tables *t, void (*row)(void *context, const struct route_row *r), void *context);

/* A route names the OAuth client NAME. */
enum answer routes_use_oauth(struct tables *t, struct str name);

#endif

/*
 * routes_import - qmail-remote's control files `routes`, `routemap` and `defaultoutgoingip`, read and taken over.
 *
 *     routes              NAME;LOCAL_ADDRESSES;REMOTE_ADDRESSES;USERNAME;PASSWORD
 *     routemap            SENDERDOMAIN;RCPTDOMAIN;ROUTE
 *     defaultoutgoingip   the address of routes without LOCAL_ADDRESSES, in its first line
 * In routemap `*` is any domain and the sender `bounce` is the null sender; the first line that holds wins.
 * Lines are trimmed; empty ones and those that start with # count for nothing.  A list `a&b` is tried in order, `a|b` takes turns and a
 * repeated item weighs more.  A remote address is HOST:PORT, [IPv6]:PORT, or mx: alone, in an & list, or as nothing at all.
 *
 * Reading is pure: texts go in, lines of the map and complaints come out; all bad lines are found, the first IMPORT_COMPLAINTS_MAX are
 * told, one line each, `FILE:LINE: what (expected …)`, printable, without a password.  Storing is one change that puts the map in the
 * place of the one before: each line becomes the rows of its route, map_order is its place; passwords are sealed (secrets.h).  The
 * strings of the map point into the texts and the struct.
 */
#ifndef DIRECTORY_ROUTES_IMPORT_H
#define DIRECTORY_ROUTES_IMPORT_H

#include "base/arena.h"
#include "base/buf.h"
#include "directory/secrets.h"
#include "directory/tables.h"

enum import_part { IMPORT_ROUTES, IMPORT_ROUTEMAP, IMPORT_DEFAULT_IP, IMPORT_PARTS };
enum { IMPORT_COMPLAINTS_MAX = 100, IMPORT_FILE_MAX = 16 << 20 };

struct import_file {
    const char *name; /* as complaints call it; NULL: there is none */
    struct str text;
};

struct import_route;

struct import_line {
    const char *sender; /* normal domain, "bounce", or NULL for any */
    const char *domain; /* normal domain or "*" */
    const struct import_route *route;
};

struct routes_import {
    struct arena arena;
    void *names; /* of routes, tsearch(3) */
    const char *default_ip; /* NULL: none */
    size_t route_count;
    size_t line_count, line_room;
    struct import_line *lines;
    size_t bad; /* complaints, also those that were not told */
    struct buf complaints;
};

/* Which file a path names, by its last part. */
bool routes_import_part(const char *path, enum import_part *part);

/* Fills a zeroed struct; false when a line was bad. */
bool routes_import_read(struct routes_import *r, const struct import_file files[IMPORT_PARTS]);
void routes_import_done(struct routes_import *r);

struct status routes_import_store(struct tables *t, struct secrets *secrets, const struct routes_import *r);

#endif

/*
 * schema - the tables of tmail.db and how older ones become them.
 *
 * PRAGMA user_version says which schema a file has.  An empty file and the database of the tmail before this one have 0.  That tmail's
 * tables keep their names and columns; what we need beyond them are columns and indexes that it would not notice:
 *     relay_ip_oks.first_bytes, last_bytes: the range of `ip` as address_bytes16 writes it, NULL where `ip` is no address
 *     routes.map_order: the place in routemap of a route that was imported, NULL for one made by hand
 * Names that were stored as typed are brought to normal form on the way.
 */
#ifndef DIRECTORY_SCHEMA_H
#define DIRECTORY_SCHEMA_H

#include "directory/tables.h"

enum { SCHEMA_VERSION = 1 };

/* Brings T to SCHEMA_VERSION in one transaction, waiting for another process that does the same.  False with the reason in ERROR, and
 * nothing changed, when that fails or the file is of a newer tmail. */
bool schema_prepare(struct tables *t, const char *path, char *error, size_t error_size);

#endif

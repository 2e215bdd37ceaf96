/*
 * schema - the tables of tmail.db and how older ones become them.
 *
 * PRAGMA user_version says which schema a file has.  An empty file and the database of the tmail before this one have 0.  That tmail's
 * tables keep their names and columns; what we need beyond them are columns, indexes and tables that it would not notice.
 * Version 1, in which names that were stored as typed are brought to normal form:
 *     relay_ip_oks.first_bytes, last_bytes: the range of `ip` as address_bytes16 writes it, NULL where `ip` is no address
 *     routes.map_order: the place in routemap of a route that was imported, NULL for one made by hand
 * Version 2:
 *     users.scram_sha256, cram_md5: what the challenge mechanisms need (sasl/keys.h), NULL where it is not kept
 *     routes.tls: a rule of conf/tls_policy.h, NULL for the configuration's; routes.oauth: the name of an OAuth client, NULL for none
 *     routes.smtp_auth_passwd: sealed from now on (secrets.h), as it was where an earlier tmail stored it
 *     user_senders (senders.h), oauth_clients (oauth.h): new tables
 * Version 3:
 *     sts_policies (sts_policies.h), and what reports on TLS are made of: new tables
 * Version 4:
 *     limits (limits.h): new table
 *     routes.verp: senders name the recipient (smtp/verp.h)
 */
#ifndef DIRECTORY_SCHEMA_H
#define DIRECTORY_SCHEMA_H

#include "directory/tables.h"

enum { SCHEMA_VERSION = 4 };

/* Brings T to SCHEMA_VERSION in one transaction, waiting for another process that does the same.  False with the reason in ERROR, and
 * nothing changed, when that fails or the file is of a newer tmail. */
bool schema_prepare(struct tables *t, const char *path, char *error, size_t error_size);

#endif

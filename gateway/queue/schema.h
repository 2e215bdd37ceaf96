/*
 * schema - the tables of queue.db, with what each column means.
 *
 * Written for those who read them with any SQLite client, too.  PRAGMA user_version is QUEUE_SCHEMA_VERSION.
 */
#ifndef QUEUE_SCHEMA_H
#define QUEUE_SCHEMA_H

enum { QUEUE_SCHEMA_VERSION = 2 };
/* Beside enum body_type in message.body. */
enum { MESSAGE_AUTH = 2, MESSAGE_TLS_OPTIONAL = 4, MESSAGE_FLAGS = MESSAGE_AUTH | MESSAGE_TLS_OPTIONAL };

extern const char queue_schema_sql[];
/* By the version that is found: what brings it to the next. */
extern const char *const queue_upgrades[QUEUE_SCHEMA_VERSION];

#endif

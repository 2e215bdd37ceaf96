/*
 * schema - the tables of queue.db, with what each column means.
 *
 * Written for those who read them with any SQLite client, too.  PRAGMA user_version is QUEUE_SCHEMA_VERSION.
 */
#ifndef QUEUE_SCHEMA_H
#define QUEUE_SCHEMA_H

enum { QUEUE_SCHEMA_VERSION = 3 };
/* Beside enum body_type in message.body. */
enum { MESSAGE_AUTH = 2, MESSAGE_TLS_OPTIONAL = 4, MESSAGE_FLAGS = MESSAGE_AUTH | MESSAGE_TLS_OPTIONAL };

/* What stays of messages that are gone; `WHERE …` names them. */
#define QUEUE_REMEMBER \
    "INSERT OR IGNORE INTO past SELECT id, session, arrived, sender, user, client, helo, via, kind, envid, size FROM message "

/* Statements, up to NULL. */
extern const char *const queue_schema_sql[];
/* By the version that is found: what brings it to the next, up to NULL. */
enum { QUEUE_UPGRADE_STEPS = 8 };
extern const char *const queue_upgrades[QUEUE_SCHEMA_VERSION][QUEUE_UPGRADE_STEPS];

#endif

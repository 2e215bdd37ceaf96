#include "queue/look.h"

#include "queue/schema.h"

#include <stdio.h>

enum { CACHE_KB = 2048 };

static int64_t schema_version(struct db *db)
{
    struct db_query *query = db_prepare(db, "PRAGMA user_version");
    int64_t version = -1;

    if (query == NULL)
        return -1;
    if (db_step(query))
        version = db_int(query, 0);
    return db_finish(query) ? version : -1;
}

static bool is_ours(struct db *db, const char *path, char *error, size_t error_size)
{
    int64_t version = schema_version(db);

    if (version == QUEUE_SCHEMA_VERSION)
        return true;
    if (version < 0)
        snprintf(error, error_size, "%s: %s", path, db_error(db));
    else if (version > QUEUE_SCHEMA_VERSION)
        snprintf(error, error_size, "%s: made by a newer tmail (schema %d, this one knows %d)", path, (int)version, QUEUE_SCHEMA_VERSION);
    else
        snprintf(error, error_size, "%s: made by an older tmail (schema %d, not %d); \"tmail queue count\" brings it up to date", path,
                 (int)version, QUEUE_SCHEMA_VERSION);
    return false;
}

struct db *look_open(const char *folder, char *error, size_t error_size)
{
    char path[600];
    struct db *db;

    snprintf(path, sizeof path, "%s/queue.db", folder);
    db = db_open(path, DB_READ_ONLY, CACHE_KB, error, error_size);
    if (db != NULL && !is_ours(db, path, error, error_size))
        db_close(&db);
    return db;
}

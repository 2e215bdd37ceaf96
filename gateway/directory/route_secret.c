#include "directory/route_secret.h"

#include "base/log.h"
#include "directory/sealed.h"

struct status route_secret_seal(struct secrets *secrets, const struct route_row *r, struct buf *to)
{
    char error[SECRETS_ERROR_SIZE];
    struct buf context = {0};
    bool ok;

    if (r->password.length == 0)
        return status_ok();
    secrets_route_context(r->remote_host, r->login, &context);
    ok = secrets_seal(secrets, buf_str(&context), r->password, to, error, sizeof error);
    buf_done(&context);
    return ok ? status_ok() : tables_refused("%s", error);
}

static struct db_query *plain_query(struct tables *t)
{
    return tables_query(t, "SELECT id, remote_host, smtp_auth_login, smtp_auth_passwd FROM routes"
                           " WHERE id > ?1 AND ifnull(smtp_auth_passwd, '') <> '' AND substr(smtp_auth_passwd, 1, 8) <> '{sealed}'"
                           " ORDER BY id LIMIT 1");
}

static struct status store(struct tables *t, int64_t id, struct str password)
{
    struct db_query *q = tables_query(t, "UPDATE routes SET smtp_auth_passwd = ?2 WHERE id = ?1");

    if (q == NULL)
        return tables_failed(t);
    db_bind_int(q, 1, id);
    db_bind_str(q, 2, password);
    return tables_execute(t, q);
}

/* Seals the first plain one behind *ID, which moves there; *FOUND is false when there is none. */
static struct status seal_next(struct tables *t, struct secrets *secrets, int64_t *id, bool *found)
{
    struct db_query *q = plain_query(t);
    struct status s = status_ok();
    struct buf sealed = {0};

    *found = false;
    if (q == NULL)
        return tables_failed(t);
    db_bind_int(q, 1, *id);
    *found = db_step(q);
    if (*found) {
        const struct route_row r = {.remote_host = db_str(q, 1), .login = db_str(q, 2), .password = db_str(q, 3)};

        *id = db_int(q, 0);
        s = route_secret_seal(secrets, &r, &sealed);
    }
    if (!db_finish(q))
        s = tables_failed(t);
    if (*found && status_is_ok(&s))
        s = store(t, *id, buf_str(&sealed));
    buf_done(&sealed);
    return s;
}

static struct status seal_all(struct tables *t, struct secrets *secrets, size_t *count)
{
    struct status s = tables_begin(t);
    int64_t id = INT64_MIN;
    bool found = true;

    while (status_is_ok(&s) && found) {
        s = seal_next(t, secrets, &id, &found);
        if (found)
            ++*count;
    }
    return tables_end(t, s);
}

static struct status any_plain(struct tables *t, bool *any)
{
    struct db_query *q = plain_query(t);

    if (q == NULL)
        return tables_failed(t);
    db_bind_int(q, 1, INT64_MIN);
    *any = db_step(q);
    return db_finish(q) ? status_ok() : tables_failed(t);
}

/* The first column of its row says whether somebody was in the way. */
static bool empty_log(struct tables *t)
{
    struct db_query *q = tables_query(t, "PRAGMA wal_checkpoint(TRUNCATE)");
    bool ok = q != NULL && db_step(q) && db_int(q, 0) == 0;

    return q != NULL && db_finish(q) && ok;
}

/* What was overwritten or deleted stands in unused pages and in the write-ahead log until then. */
static void forget_plain(struct tables *t)
{
    if (!db_run(tables_db(t), "VACUUM") || !empty_log(t))
        log_message(LOG_LEVEL_WARNING, "database", "passwords of routes were sealed, but %s may still show them until it is vacuumed while nobody reads it",
                    "unused pages of the database");
}

struct status route_secret_seal_stored(struct tables *t, struct secrets *secrets, size_t *count)
{
    bool any = false;
    struct status s = any_plain(t, &any);

    *count = 0;
    if (!status_is_ok(&s) || !any)
        return s;
    s = sealed_check(t, secrets);
    if (status_is_ok(&s))
        s = seal_all(t, secrets, count);
    if (status_is_ok(&s))
        forget_plain(t);
    return s;
}

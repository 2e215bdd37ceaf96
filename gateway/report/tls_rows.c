#include "report/tls_rows.h"

/* The row itself, if it is there: its place in the statements is that of the columns. */
static void bind_row(struct db_query *q, const struct tls_row *row)
{
    const struct str texts[] = {row->day, row->domain, row->type, row->policy, row->mx, row->failure, row->mx_host, row->local_ip, row->peer_ip,
                                row->reason};
    const int count = sizeof texts / sizeof texts[0];

    for (int i = 0; i < count; i++)
        db_bind_str(q, i + 1, texts[i]);
    db_bind_int(q, count + 1, row->sessions);
}

static struct status increase(struct tables *t, const struct tls_row *row, bool *found)
{
    struct db_query *q = tables_query(t, "UPDATE tls_results SET sessions = sessions + ?11 WHERE day = ?1 AND domain = ?2 AND type = ?3"
                                         " AND policy = ?4 AND mx = ?5 AND failure = ?6 AND mx_host = ?7 AND local_ip = ?8 AND peer_ip = ?9"
                                         " AND reason = ?10");
    struct status s;

    *found = false;
    if (q == NULL)
        return tables_failed(t);
    bind_row(q, row);
    s = tables_execute(t, q);
    *found = status_is_ok(&s) && db_changes(tables_db(t)) > 0;
    return s;
}

static struct status insert(struct tables *t, const struct tls_row *row)
{
    struct db_query *q = tables_query(t, "INSERT INTO tls_results (day, domain, type, policy, mx, failure, mx_host, local_ip, peer_ip, reason,"
                                         " sessions) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)");

    if (q == NULL)
        return tables_failed(t);
    bind_row(q, row);
    return tables_execute(t, q);
}

static struct status is_full(struct tables *t, const struct tls_row *row, bool *full)
{
    struct db_query *q = tables_query(t, "SELECT count(*) FROM tls_results WHERE day = ?1 AND domain = ?2");

    if (q == NULL)
        return tables_failed(t);
    db_bind_str(q, 1, row->day);
    db_bind_str(q, 2, row->domain);
    *full = db_step(q) && db_int(q, 0) >= TLS_ROWS_MOST;
    return db_finish(q) ? status_ok() : tables_failed(t);
}

struct status tls_rows_add(struct tables *t, const struct tls_row *row)
{
    struct tls_row bare = {.day = row->day, .domain = row->domain, .type = row->type, .failure = row->failure, .sessions = row->sessions};
    bool found, full = false;
    struct status s = increase(t, row, &found);

    if (status_is_ok(&s) && !found)
        s = is_full(t, row, &full);
    if (status_is_ok(&s) && full)
        s = increase(t, &bare, &found);
    if (status_is_ok(&s) && !found)
        s = insert(t, full ? &bare : row);
    return s;
}

struct status tls_rows_each(struct tables *t, struct str day, struct str domain, void (*row)(void *context, const struct tls_row *row),
                            void *context)
{
    struct db_query *q = tables_query(t, "SELECT type, policy, mx, failure, mx_host, local_ip, peer_ip, reason, sessions FROM tls_results"
                                         " WHERE day = ?1 AND domain = ?2 ORDER BY type, policy, mx, failure, id");

    if (q == NULL)
        return tables_failed(t);
    db_bind_str(q, 1, day);
    db_bind_str(q, 2, domain);
    while (db_step(q)) {
        const struct tls_row found = {.day = day, .domain = domain, .type = db_str(q, 0), .policy = db_str(q, 1), .mx = db_str(q, 2),
                                      .failure = db_str(q, 3), .mx_host = db_str(q, 4), .local_ip = db_str(q, 5), .peer_ip = db_str(q, 6),
                                      .reason = db_str(q, 7), .sessions = db_int(q, 8)};

        row(context, &found);
    }
    return db_finish(q) ? status_ok() : tables_failed(t);
}

struct status tls_rows_sums(struct tables *t, void (*sum)(void *context, const struct tls_row_sum *sum), void *context)
{
    struct db_query *q = tables_query(t, "SELECT day, domain, type, sum(CASE failure WHEN '' THEN sessions ELSE 0 END),"
                                         " sum(CASE failure WHEN '' THEN 0 ELSE sessions END) FROM tls_results GROUP BY day, domain, type"
                                         " ORDER BY day, domain, type");

    if (q == NULL)
        return tables_failed(t);
    while (db_step(q)) {
        const struct tls_row_sum found = {db_str(q, 0), db_str(q, 1), db_str(q, 2), db_int(q, 3), db_int(q, 4)};

        sum(context, &found);
    }
    return db_finish(q) ? status_ok() : tables_failed(t);
}

struct status tls_rows_newest(struct tables *t, struct str domain, char *day, size_t size)
{
    struct db_query *q = tables_query(t, "SELECT max(day) FROM tls_results WHERE domain = ?1");

    day[0] = '\0';
    if (q == NULL)
        return tables_failed(t);
    db_bind_str(q, 1, domain);
    if (db_step(q))
        str_copy(db_str(q, 0), day, size);
    return db_finish(q) ? status_ok() : tables_failed(t);
}

struct status tls_rows_delete(struct tables *t, struct str day, struct str domain)
{
    struct db_query *q = tables_query(t, "DELETE FROM tls_results WHERE day = ?1 AND domain = ?2");

    if (q == NULL)
        return tables_failed(t);
    db_bind_str(q, 1, day);
    db_bind_str(q, 2, domain);
    return tables_execute(t, q);
}

struct status tls_rows_delete_before(struct tables *t, struct str day)
{
    struct db_query *q = tables_query(t, "DELETE FROM tls_results WHERE day < ?1 OR day IS NOT date(day, '+0 days')"
                                         " OR typeof(day) <> 'text' OR typeof(domain) <> 'text'");

    if (q == NULL)
        return tables_failed(t);
    db_bind_str(q, 1, day);
    return tables_execute(t, q);
}

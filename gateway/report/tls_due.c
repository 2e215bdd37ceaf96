#include "report/tls_due.h"

#include "report/tls_rows.h"

#include <stdio.h>

/* Results may reach the database some seconds after their day. */
enum { SETTLE_MS = 10 * 60 * 1000, SPREAD_MS = 4 * 3600 * 1000 };

static int64_t time_for(struct str day, struct str domain, const char *me)
{
    struct buf both = {0};
    int64_t begin;

    if (!tls_day_read(day, &begin))
        return 0;
    buf_print(&both, "%.*s %s", STR_ARG(domain), me);
    begin += TLS_DAY_MS + SETTLE_MS + (int64_t)(str_hash(buf_str(&both)) % SPREAD_MS);
    buf_done(&both);
    return begin;
}

/* SQL has days for its parameters. */
static struct status run(struct tables *t, struct db_query *q, const char *day)
{
    if (q == NULL)
        return tables_failed(t);
    db_bind_str(q, 1, str_of(day));
    return tables_execute(t, q);
}

static struct status forget(struct tables *t, const char *oldest, const char *today)
{
    struct status s = tls_rows_delete_before(t, str_of(oldest));

    if (status_is_ok(&s))
        s = run(t, tables_query(t, "DELETE FROM tls_reports WHERE day < ?1 OR day IS NOT date(day, '+0 days')"
                                   " OR typeof(day) <> 'text' OR typeof(domain) <> 'text'"), oldest);
    /* What came when its report was gone. */
    if (status_is_ok(&s))
        s = run(t, tables_query(t, "DELETE FROM tls_results AS r WHERE day < ?1"
                                   " AND EXISTS (SELECT 1 FROM tls_reports p WHERE p.day = r.day AND p.domain = r.domain)"
                                   " AND NOT EXISTS (SELECT 1 FROM tls_reports p WHERE p.day = r.day AND p.domain = r.domain"
                                   " AND p.due IS NOT NULL)"), today);
    return s;
}

/* A report that has no row yet, after the one of DAY and DOMAIN, which become it.  They are texts: a BLOB would be after any text. */
static struct status next_report(struct tables *t, const char *today, struct buf *day, struct buf *domain, bool *found)
{
    struct db_query *q = tables_query(t, "SELECT day, domain FROM tls_results AS r WHERE (day, domain) > (?1, ?2) AND day < ?3"
                                         " AND typeof(domain) = 'text'"
                                         " AND NOT EXISTS (SELECT 1 FROM tls_reports p WHERE p.day = r.day AND p.domain = r.domain)"
                                         " ORDER BY day, domain LIMIT 1");

    *found = false;
    if (q == NULL)
        return tables_failed(t);
    db_bind_str(q, 1, buf_str(day));
    db_bind_str(q, 2, buf_str(domain));
    db_bind_str(q, 3, str_of(today));
    *found = db_step(q);
    if (*found) {
        struct buf next_day = {0}, next_domain = {0};

        buf_add(&next_day, db_str(q, 0));
        buf_add(&next_domain, db_str(q, 1));
        buf_done(day);
        buf_done(domain);
        *day = next_day;
        *domain = next_domain;
    }
    return db_finish(q) ? status_ok() : tables_failed(t);
}

static struct status insert(struct tables *t, struct str day, struct str domain, const char *uri, int64_t due)
{
    struct db_query *q = tables_query(t, "INSERT OR IGNORE INTO tls_reports (day, domain, uri, due) VALUES (?1, ?2, ?3, ?4)");

    if (q == NULL)
        return tables_failed(t);
    db_bind_str(q, 1, day);
    db_bind_str(q, 2, domain);
    db_bind_str(q, 3, str_of(uri));
    db_bind_int(q, 4, due);
    return tables_execute(t, q);
}

static struct status plan_all(struct tables *t, const char *today, const char *me)
{
    struct buf day = {0}, domain = {0};
    bool found;
    struct status s;

    /* Something that is no NULL. */
    buf_add(&day, STR(" "));
    buf_add(&domain, STR(" "));
    do {
        s = next_report(t, today, &day, &domain, &found);
        if (status_is_ok(&s) && found)
            s = insert(t, buf_str(&day), buf_str(&domain), "", time_for(buf_str(&day), buf_str(&domain), me));
    } while (status_is_ok(&s) && found);
    buf_done(&day);
    buf_done(&domain);
    return s;
}

struct status tls_due_plan(struct tables *t, int64_t now, const char *me)
{
    char today[TLS_DAY_SIZE], oldest[TLS_DAY_SIZE];
    struct status s = tables_begin(t);

    tls_day_text(now, today);
    tls_day_text(now - (int64_t)TLS_DUE_DAYS * TLS_DAY_MS, oldest);
    if (status_is_ok(&s))
        s = forget(t, oldest, today);
    if (status_is_ok(&s))
        s = plan_all(t, today, me);
    return tables_end(t, s);
}

static struct status find(struct tables *t, const struct tls_due_wish *wish, int64_t after, struct arena *arena, struct tls_due *due,
                          bool *found)
{
    struct db_query *q = tables_query(t, "SELECT id, day, domain, uri, attempts FROM tls_reports WHERE due IS NOT NULL AND claimed <= ?1"
                                         " AND (?2 OR due <= ?1) AND (?3 = '' OR domain = ?3) AND id > ?4 ORDER BY id LIMIT 1");

    if (q == NULL)
        return tables_failed(t);
    db_bind_int(q, 1, wish->now);
    db_bind_int(q, 2, wish->early);
    db_bind_str(q, 3, str_of(wish->domain));
    db_bind_int(q, 4, after);
    *found = db_step(q);
    if (*found)
        *due = (struct tls_due){.id = db_int(q, 0),
                                .claimed = wish->now + TLS_DUE_LEASE_MS,
                                .day = arena_text(arena, db_str(q, 1)),
                                .domain = arena_text(arena, db_str(q, 2)),
                                .uri = arena_text(arena, db_str(q, 3)),
                                .attempts = db_int(q, 4) + 1};
    return db_finish(q) ? status_ok() : tables_failed(t);
}

/* The row gets what the claim says of it. */
static struct status mark(struct tables *t, const struct tls_due *due)
{
    struct db_query *q = tables_query(t, "UPDATE tls_reports SET claimed = ?2, attempts = ?3 WHERE id = ?1");

    if (q == NULL)
        return tables_failed(t);
    db_bind_int(q, 1, due->id);
    db_bind_int(q, 2, due->claimed);
    db_bind_int(q, 3, due->attempts);
    return tables_execute(t, q);
}

struct status tls_due_claim(struct tables *t, const struct tls_due_wish *wish, int64_t after, struct arena *arena, struct tls_due *due,
                            bool *found)
{
    struct status s = tables_begin(t);

    *found = false;
    if (status_is_ok(&s))
        s = find(t, wish, after, arena, due, found);
    if (status_is_ok(&s) && *found)
        s = mark(t, due);
    return tables_end(t, s);
}

/* Ends the claim with a new time (0: none) and number of attempts; *OURS: it was still there. */
static struct status end_claim(struct tables *t, const struct tls_due *due, int64_t when, int64_t attempts, bool *ours)
{
    struct db_query *q = tables_query(t, "UPDATE tls_reports SET claimed = 0, due = nullif(?3, 0), attempts = ?4 WHERE id = ?1 AND claimed = ?2");
    struct status s;

    *ours = false;
    if (q == NULL)
        return tables_failed(t);
    db_bind_int(q, 1, due->id);
    db_bind_int(q, 2, due->claimed);
    db_bind_int(q, 3, when);
    db_bind_int(q, 4, attempts);
    s = tables_execute(t, q);
    *ours = status_is_ok(&s) && db_changes(tables_db(t)) > 0;
    return s;
}

static struct status is_waiting(struct tables *t, const struct tls_due *due, bool *waiting)
{
    struct db_query *q = tables_query(t, "SELECT 1 FROM tls_reports WHERE day = ?1 AND domain = ?2 AND due IS NOT NULL");

    if (q == NULL)
        return tables_failed(t);
    db_bind_str(q, 1, str_of(due->day));
    db_bind_str(q, 2, str_of(due->domain));
    *waiting = db_step(q);
    return db_finish(q) ? status_ok() : tables_failed(t);
}

static struct status end_report(struct tables *t, const struct tls_due *due)
{
    bool waiting = true;
    struct status s = is_waiting(t, due, &waiting);

    if (status_is_ok(&s) && !waiting)
        s = tls_rows_delete(t, str_of(due->day), str_of(due->domain));
    return s;
}

struct status tls_due_done(struct tables *t, const struct tls_due *due, const char *const *https, size_t count, int64_t now)
{
    struct status s = tables_begin(t);
    bool ours = false;

    if (status_is_ok(&s))
        s = end_claim(t, due, 0, due->attempts, &ours);
    for (size_t i = 0; status_is_ok(&s) && ours && i < count; i++)
        s = insert(t, str_of(due->day), str_of(due->domain), https[i], now);
    if (status_is_ok(&s) && ours)
        s = end_report(t, due);
    return tables_end(t, s);
}

struct status tls_due_later(struct tables *t, const struct tls_due *due, int64_t when)
{
    struct status s = tables_begin(t);
    bool ours;

    if (status_is_ok(&s))
        s = end_claim(t, due, when, due->attempts, &ours);
    return tables_end(t, s);
}

struct status tls_due_give_back(struct tables *t, const struct tls_due *due)
{
    struct tls_due before = *due;

    before.attempts--;
    return tls_due_later(t, &before, 1);
}

#include "directory/sts_policies.h"

static void read_row(struct db_query *q, struct arena *arena, struct sts_row *row)
{
    *row = (struct sts_row){
        .id = arena_text(arena, db_str(q, 0)),
        .policy = arena_str(arena, db_str(q, 1)),
        .fetched = db_int(q, 2),
        .expires = db_int(q, 3),
    };
}

enum answer sts_policies_find(struct tables *t, struct str domain, int64_t now, struct arena *arena, struct sts_row *row)
{
    struct db_query *q = tables_query(t, "SELECT id, policy, fetched, expires FROM sts_policies WHERE domain = ?1 AND expires > ?2");
    bool found;

    if (q == NULL)
        return ANSWER_FAILED;
    db_bind_str(q, 1, domain);
    db_bind_int(q, 2, now);
    found = db_step(q);
    if (found)
        read_row(q, arena, row);
    if (!db_finish(q))
        return ANSWER_FAILED;
    return found ? ANSWER_YES : ANSWER_NO;
}

struct status sts_policies_store(struct tables *t, struct str domain, const struct sts_row *row)
{
    struct db_query *q = tables_query(t, "INSERT INTO sts_policies (domain, id, policy, fetched, expires) VALUES (?1, ?2, ?3, ?4, ?5)"
                                         " ON CONFLICT (domain) DO UPDATE SET id = excluded.id, policy = excluded.policy,"
                                         " fetched = excluded.fetched, expires = excluded.expires");

    if (q == NULL)
        return tables_failed(t);
    db_bind_str(q, 1, domain);
    db_bind_str(q, 2, str_of(row->id));
    db_bind_str(q, 3, row->policy);
    db_bind_int(q, 4, row->fetched);
    db_bind_int(q, 5, row->expires);
    return tables_execute(t, q);
}

enum answer sts_policies_forget(struct tables *t, struct str domain, int64_t now)
{
    struct db_query *q = tables_query(t, "DELETE FROM sts_policies WHERE domain = ?1 AND expires <= ?2");
    struct status status;

    if (q == NULL)
        return ANSWER_FAILED;
    db_bind_str(q, 1, domain);
    db_bind_int(q, 2, now);
    status = tables_execute(t, q);
    if (!status_is_ok(&status))
        return ANSWER_FAILED;
    return db_changes(tables_db(t)) > 0 ? ANSWER_YES : ANSWER_NO;
}

struct status sts_policies_tidy(struct tables *t, int64_t now)
{
    struct db_query *q = tables_query(t, "DELETE FROM sts_policies WHERE expires <= ?1");

    if (q == NULL)
        return tables_failed(t);
    db_bind_int(q, 1, now);
    return tables_execute(t, q);
}

#include "queue/manage.h"

#include "base/clock.h"
#include "base/memory.h"
#include "queue/schema.h"
#include "queue/wake.h"

enum { PAGE_ROWS = 500 };

struct page {
    struct arena arena;
    int64_t message, number; /* of the last row: the next page starts behind it */
    struct queue_row rows[PAGE_ROWS];
    int count;
};

static void take_row(struct db_query *q, struct page *p)
{
    struct arena *arena = &p->arena;

    p->rows[p->count++] = (struct queue_row){
        .id = db_int(q, 0),
        .sender = arena_str(arena, db_str(q, 1)),
        .recipient = arena_str(arena, db_str(q, 2)),
        .state = (enum recipient_state)db_int(q, 3),
        .added = db_int(q, 4),
        .next = db_int(q, 3) == RECIPIENT_SCHEDULED ? db_int(q, 5) : 0,
        .attempts = db_int(q, 6),
        .crashes = db_int(q, 7),
        .tried = db_int(q, 8),
        .size = db_int(q, 9),
        .host = arena_str(arena, db_str(q, 10)),
        .enhanced = arena_str(arena, db_str(q, 11)),
        .reason = arena_str(arena, db_str(q, 12)),
        .code = (int)db_int(q, 13),
        .tls = arena_str(arena, db_str(q, 15)),
    };
    p->message = db_int(q, 0);
    p->number = db_int(q, 14);
}

/* A page is read to its end before anybody sees it: a reader that takes its time, such as a pager, must not hold the database's log. */
static bool read_page(struct db_query *query, int64_t message, struct page *p)
{
    p->count = 0;
    db_bind_int(query, 1, message);
    db_bind_int(query, 2, p->message);
    db_bind_int(query, 3, p->number);
    db_bind_int(query, 4, PAGE_ROWS);
    while (db_step(query) && p->count < PAGE_ROWS)
        take_row(query, p);
    return db_finish(query);
}

bool manage_list(struct queue *q, int64_t message, queue_row_sink sink, void *context)
{
    struct db_query *query = db_prepare(q->db, "SELECT m.id, m.sender, r.address, r.state, m.arrived, r.due, r.attempts, r.crashes, r.tried, m.size, "
                                               "r.host, r.enhanced, r.reason, r.code, r.number, r.tls FROM recipient r JOIN message m ON m.id = r.message "
                                               "WHERE (r.message, r.number) > (?2, ?3) AND (?1 = 0 OR r.message = ?1) ORDER BY r.message, r.number "
                                               "LIMIT ?4");
    struct page *page = memory_new(sizeof *page);
    bool ok = query != NULL;

    if (message > 0)
        page->message = message; /* and number 0: from its first recipient on */
    while (ok && (ok = read_page(query, message, page)) && page->count > 0) {
        for (int i = 0; i < page->count; i++)
            sink(context, &page->rows[i]);
        arena_done(&page->arena);
    }
    arena_done(&page->arena);
    memory_free(&page);
    return ok;
}

bool manage_count(struct queue *q, int64_t *messages, int64_t *recipients)
{
    struct db_query *query = db_prepare(q->db, "SELECT (SELECT count(*) FROM message), (SELECT count(*) FROM recipient)");

    if (query == NULL)
        return false;
    if (db_step(query)) {
        *messages = db_int(query, 0);
        *recipients = db_int(query, 1);
    }
    return db_finish(query);
}

int manage_facts(struct queue *q, int64_t message, struct queue_facts *facts)
{
    struct db_query *query =
        db_prepare(q->db, "SELECT session, client, helo, user, envid, body, ret, smtputf8 FROM message WHERE id = ?");

    if (query == NULL)
        return -1;
    db_bind_int(query, 1, message);
    if (!db_step(query))
        return db_finish(query) ? 0 : -1;
    *facts = (struct queue_facts){.session = db_str(query, 0),
                                  .client = db_str(query, 1),
                                  .helo = db_str(query, 2),
                                  .user = db_str(query, 3),
                                  .envid = db_str(query, 4),
                                  .body = (int)(db_int(query, 5) & ~MESSAGE_FLAGS),
                                  .ret = (int)db_int(query, 6),
                                  .smtputf8 = db_int(query, 7) != 0};
    return 1;
}

static void wake(struct queue *q)
{
    struct wake w;

    wake_open(&w, q->folder);
    wake_send(&w);
    wake_close(&w);
}

/* Runs SQL with the message as ?1, the domain as ?2 and the time as ?3, and counts what it changed and what it had to leave. */
static bool apply(struct queue *q, const char *sql, int64_t message, struct str domain, struct manage_result *result)
{
    struct db_query *change = db_prepare(q->db, sql);
    struct db_query *busy = db_prepare(q->db, "SELECT count(*) FROM recipient WHERE state = 2 AND (?1 = 0 OR message = ?1) AND (?2 = '' OR domain = ?2)");
    bool ok;

    *result = (struct manage_result){0};
    if (change == NULL || busy == NULL)
        return false;
    db_bind_int(change, 1, message);
    db_bind_str(change, 2, domain);
    db_bind_int(change, 3, clock_wall());
    ok = db_execute(change);
    result->done = db_changes(q->db);
    db_bind_int(busy, 1, message);
    db_bind_str(busy, 2, domain);
    if (ok && db_step(busy))
        result->busy = db_int(busy, 0);
    return db_finish(busy) && ok;
}

static bool forget(struct queue *q, int64_t message)
{
    struct db_query *query = db_prepare(q->db, "DELETE FROM message WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM recipient WHERE message = ?1)");

    if (query == NULL)
        return false;
    db_bind_int(query, 1, message);
    return db_execute(query);
}

/* One change as one transaction; what it leaves of MESSAGE (0: all) goes when it has no recipients any more. */
static bool change(struct queue *q, const char *sql, int64_t message, struct str domain, struct manage_result *result)
{
    if (!queue_begin(q))
        return false;
    if (!apply(q, sql, message, domain, result) || !forget(q, message)) {
        queue_rollback(q);
        return false;
    }
    if (!queue_commit(q))
        return false;
    wake(q);
    return true;
}

bool manage_discard(struct queue *q, int64_t message, struct manage_result *result)
{
    return change(q, "DELETE FROM recipient WHERE message = ?1 AND state <> 2 AND ?2 = '' AND ?3 > 0", message, STR(""), result);
}

bool manage_hold(struct queue *q, int64_t message, struct manage_result *result)
{
    return change(q, "UPDATE recipient SET state = 3 WHERE message = ?1 AND state = 1 AND ?2 = '' AND ?3 > 0", message, STR(""), result);
}

/* What was held after crashes gets all its tries again; what had failed is scheduled anew. */
bool manage_release(struct queue *q, int64_t message, struct manage_result *result)
{
    return change(q, "UPDATE recipient SET state = 1, due = ?3, flushed = ?3, crashes = 0 WHERE message = ?1 AND state IN (3, 4) AND ?2 = ''", message,
                  STR(""), result);
}

bool manage_flush(struct queue *q, int64_t message, struct str domain, struct manage_result *result)
{
    return change(q, "UPDATE recipient SET due = ?3, flushed = ?3 WHERE state = 1 AND (?1 = 0 OR message = ?1) AND (?2 = '' OR domain = ?2)", message,
                  domain, result);
}

#include "queue/rows.h"

#include "base/memory.h"

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
    const enum recipient_state state = (enum recipient_state)db_int(q, 2);

    p->message = db_int(q, 0);
    p->number = db_int(q, 1);
    p->rows[p->count++] = (struct queue_row){
        .id = p->message,
        .state = state,
        .next = state == RECIPIENT_SCHEDULED ? db_int(q, 3) : 0,
        .attempts = db_int(q, 4),
        .crashes = db_int(q, 5),
        .tried = db_int(q, 6),
        .code = (int)db_int(q, 7),
        .wish = (enum recipient_wish)db_int(q, 8),
        .route = db_int(q, 9),
        .recipient = arena_str(arena, db_str(q, 10)),
        .host = arena_str(arena, db_str(q, 11)),
        .enhanced = arena_str(arena, db_str(q, 12)),
        .reason = arena_str(arena, db_str(q, 13)),
        .tls = arena_str(arena, db_str(q, 14)),
        .taken = arena_str(arena, db_str(q, 15)),
        .orcpt = arena_str(arena, db_str(q, 16)),
        .added = db_int(q, 17),
        .size = db_int(q, 18),
        .sender = arena_str(arena, db_str(q, 19)),
    };
}

/* The rows are found first: only those that are shown touch their messages. */
static struct db_query *prepare_list(struct queue *q, const struct selection *s)
{
    struct buf sql = {0};
    struct db_query *query;

    buf_add_text(&sql, "SELECT r.message, r.number, r.state, r.due, r.attempts, r.crashes, r.tried, r.code, r.wish, r.route, r.address, r.host, "
                       "r.enhanced, r.reason, r.tls, r.taken, r.orcpt, m.arrived, m.size, m.sender FROM (SELECT r.*");
    selection_write(s, &sql);
    buf_add_text(&sql, " AND (r.message, r.number) > (?1, ?2) ORDER BY r.message, r.number LIMIT ?3) r "
                       "CROSS JOIN message m ON m.id = r.message ORDER BY r.message, r.number");
    query = db_prepare(q->db, buf_text(&sql));
    buf_done(&sql);
    return query;
}

/* A page is read to its end before anybody sees it: a reader that takes its time, such as a pager, must not hold the database's log. */
static bool read_page(struct db_query *query, const struct selection *s, int64_t most, struct page *p)
{
    p->count = 0;
    selection_bind(s, query);
    db_bind_int(query, 1, p->message);
    db_bind_int(query, 2, p->number);
    db_bind_int(query, 3, most);
    while (p->count < most && db_step(query))
        take_row(query, p);
    return db_finish(query);
}

bool rows_list(struct queue *q, const struct selection *s, int64_t limit, queue_row_sink sink, void *context)
{
    struct db_query *query = prepare_list(q, s);
    struct page *page = memory_new(sizeof *page);
    int64_t left = limit > 0 ? limit : INT64_MAX, most;
    bool ok = query != NULL;

    do {
        most = left < PAGE_ROWS ? left : PAGE_ROWS;
        ok = ok && read_page(query, s, most, page);
        for (int i = 0; ok && i < page->count; i++)
            sink(context, &page->rows[i]);
        left -= page->count;
        arena_done(&page->arena);
    } while (ok && page->count == most && left > 0);
    memory_free(&page);
    return ok;
}

bool rows_count_states(struct queue *q, const struct selection *s, unsigned states, struct queue_count *count)
{
    struct buf sql = {0};
    struct db_query *query;
    int64_t last = 0;

    *count = (struct queue_count){0};
    buf_add_text(&sql, "SELECT r.message, r.state");
    selection_write(s, &sql);
    buf_add_text(&sql, " AND ?1 >> r.state & 1 ORDER BY r.message, r.number");
    query = db_prepare(q->db, buf_text(&sql));
    buf_done(&sql);
    if (query == NULL)
        return false;
    selection_bind(s, query);
    db_bind_int(query, 1, states);
    while (db_step(query)) {
        count->messages += db_int(query, 0) != last;
        count->recipients++;
        count->in_progress += db_int(query, 1) == RECIPIENT_IN_PROGRESS;
        last = db_int(query, 0);
    }
    return db_finish(query);
}

bool rows_count(struct queue *q, const struct selection *s, struct queue_count *count)
{
    return rows_count_states(q, s, ~0U, count);
}

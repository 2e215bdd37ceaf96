#include "queue/history.h"

#include "base/clock.h"
#include "base/memory.h"

static const char message_sql[] =
    "SELECT 1, session, arrived, sender, user, client, helo, via, kind, envid, size FROM message WHERE id = ?1 "
    "UNION ALL SELECT 0, session, arrived, sender, user, client, helo, via, kind, envid, size FROM past WHERE id = ?1 LIMIT 1";

static int read_message(struct history *h, struct db *db)
{
    struct db_query *query = db_prepare(db, message_sql);
    bool found;

    if (query == NULL)
        return -1;
    db_bind_int(query, 1, h->id);
    found = db_step(query);
    if (found) {
        h->waits = db_int(query, 0) != 0;
        h->session = arena_str(&h->arena, db_str(query, 1));
        h->arrived = db_int(query, 2);
        h->sender = arena_str(&h->arena, db_str(query, 3));
        h->user = arena_str(&h->arena, db_str(query, 4));
        h->client = arena_str(&h->arena, db_str(query, 5));
        h->helo = arena_str(&h->arena, db_str(query, 6));
        h->via = arena_str(&h->arena, db_str(query, 7));
        h->kind = db_int(query, 8);
        h->envid = arena_str(&h->arena, db_str(query, 9));
        h->size = db_int(query, 10);
    }
    return db_finish(query) ? found : -1;
}

/* Those that are gone left why they were taken with their last event. */
static const char recipients_sql[] =
    "SELECT 0, number, address, taken, state, wish, due, attempts FROM recipient WHERE message = ?1 "
    "UNION ALL SELECT 1, max(id), recipient, max(taken), 0, 0, 0, max(attempt) FROM history WHERE message = ?1 AND recipient IS NOT NULL "
    "AND event <> 'refused' AND recipient NOT IN (SELECT address FROM recipient WHERE message = ?1) GROUP BY recipient ORDER BY 1, 2";

static bool read_recipients(struct history *h, struct db *db)
{
    struct db_query *query = db_prepare(db, recipients_sql);
    struct history_recipient **end = &h->recipients;

    if (query == NULL)
        return false;
    db_bind_int(query, 1, h->id);
    for (; db_step(query); end = &(*end)->next) {
        *end = arena_new(&h->arena, sizeof **end);
        **end = (struct history_recipient){
            .address = arena_str(&h->arena, db_str(query, 2)),
            .taken = arena_str(&h->arena, db_str(query, 3)),
            .state = (enum recipient_state)db_int(query, 4),
            .wish = (enum recipient_wish)db_int(query, 5),
            .due = db_int(query, 4) == RECIPIENT_SCHEDULED ? db_int(query, 6) : 0,
            .attempts = db_int(query, 7),
        };
    }
    return db_finish(query);
}

static const char events_sql[] =
    "SELECT at, recipient, event, attempt, took, host, tls, code, enhanced, reason FROM history WHERE message = ? ORDER BY id";

static bool read_events(struct history *h, struct db *db)
{
    struct db_query *query = db_prepare(db, events_sql);
    struct history_event **end = &h->events;

    if (query == NULL)
        return false;
    db_bind_int(query, 1, h->id);
    for (; db_step(query); end = &(*end)->next) {
        *end = arena_new(&h->arena, sizeof **end);
        **end = (struct history_event){
            .at = db_int(query, 0),
            .recipient = arena_str(&h->arena, db_str(query, 1)),
            .event = arena_str(&h->arena, db_str(query, 2)),
            .attempt = db_int(query, 3),
            .took = db_is_null(query, 4) ? -1 : db_int(query, 4),
            .host = arena_str(&h->arena, db_str(query, 5)),
            .tls = arena_str(&h->arena, db_str(query, 6)),
            .code = (int)db_int(query, 7),
            .enhanced = arena_str(&h->arena, db_str(query, 8)),
            .reason = arena_str(&h->arena, db_str(query, 9)),
        };
    }
    return db_finish(query);
}

int history_read(struct history *h, struct db *db, int64_t id)
{
    int found;

    *h = (struct history){.id = id};
    if (!db_run(db, "BEGIN"))
        return -1;
    found = read_message(h, db);
    if (found > 0 && (!read_recipients(h, db) || !read_events(h, db)))
        found = -1;
    db_run(db, "ROLLBACK");
    return found;
}

void history_done(struct history *h)
{
    arena_done(&h->arena);
}

bool history_pruner_init(struct history_pruner *p, struct queue *q)
{
    struct db *db = q->db;

    *p = (struct history_pruner){
        .queue = q,
        .newest = db_prepare(db, "SELECT max(id) FROM history"),
        .oldest = db_prepare(db, "SELECT id, at, message FROM history ORDER BY id LIMIT ?"),
        .remove = db_prepare(db, "DELETE FROM history WHERE id <= ?"),
        .forget = db_prepare(db, "DELETE FROM past WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM history WHERE message = ?1)"),
    };
    return p->newest != NULL && p->oldest != NULL && p->remove != NULL && p->forget != NULL;
}

/* What one call removes: all rows up to LAST; they are of these messages, which may stand there several times. */
struct batch {
    int64_t from, to;  /* times of what is young enough */
    int64_t surplus;   /* rows up to that id are too many, whatever their age */
    int64_t last;
    int64_t *messages;
    int messages_count, rows;
};

/* Ids follow one another, so they say how many rows there are. */
static bool find_surplus(struct history_pruner *p, int64_t most_rows, struct batch *b)
{
    if (db_step(p->newest))
        b->surplus = db_int(p->newest, 0) - most_rows;
    return db_finish(p->newest);
}

static bool find_rows(struct history_pruner *p, int limit, struct batch *b)
{
    db_bind_int(p->oldest, 1, limit);
    while (db_step(p->oldest)) {
        int64_t id = db_int(p->oldest, 0), at = db_int(p->oldest, 1), message = db_int(p->oldest, 2);

        if (id > b->surplus && at >= b->from && at <= b->to)
            break;
        b->last = id;
        b->rows++;
        if (b->messages_count == 0 || b->messages[b->messages_count - 1] != message)
            b->messages[b->messages_count++] = message;
    }
    return db_finish(p->oldest);
}

static bool remove_rows(struct history_pruner *p, const struct batch *b)
{
    bool ok;

    db_bind_int(p->remove, 1, b->last);
    ok = db_execute(p->remove);
    for (int i = 0; ok && i < b->messages_count; i++) {
        db_bind_int(p->forget, 1, b->messages[i]);
        ok = db_execute(p->forget);
    }
    return ok;
}

static int prune(struct history_pruner *p, int64_t most_rows, int limit, struct batch *b)
{
    if (!find_surplus(p, most_rows, b) || !find_rows(p, limit, b))
        return -1;
    if (b->rows == 0)
        return 0;
    if (!queue_begin(p->queue))
        return -1;
    if (remove_rows(p, b))
        return queue_commit(p->queue) ? b->rows : -1;
    queue_rollback(p->queue);
    return -1;
}

int history_prune(struct history_pruner *p, int64_t keep_ms, int64_t most_rows, int limit)
{
    int64_t now = clock_wall();
    /* What a clock that was wrong dated far into the future is not waited for: it would stand in the way of all behind it. */
    struct batch b = {.from = now - keep_ms + 1, .to = now + keep_ms, .messages = memory_new((size_t)limit * sizeof *b.messages)};
    int removed = prune(p, most_rows, limit, &b);

    memory_free(&b.messages);
    return removed;
}

#include "queue/over.h"

#include "base/memory.h"
#include "message/id.h"
#include "queue/schema.h"

/* The condition of the index, to the letter, and of those the ones that FAILURES leaves: ?2 is the first state that is over.  What an
 * administrator bounced is over in any case. */
#define ENDED "(state >= ?2 OR state = 4 AND wish = 3)"
#define OVER "(state >= 4 OR warn = 1) AND (" ENDED " OR state < 4 AND warn = 1)"

static void prepare_finding(struct over *o, struct db *db)
{
    o->next = db_prepare(db, "SELECT message FROM recipient INDEXED BY recipient_over WHERE " OVER " AND message > ?1 ORDER BY message LIMIT 1");
    /* One that has waited is enough; a time of the future comes from a clock that was wrong. */
    o->wait = db_prepare(db, "SELECT max(state = 2 OR state = 1 AND attempts = 0 AND due <= ?3), "
                             "max(" OVER " AND ifnull(tried, 0) NOT BETWEEN ?4 AND ?3) FROM recipient WHERE message = ?1");
    o->message = db_prepare(db, "SELECT session, arrived, sender, sender_host, smtputf8, ret, envid, size, kind FROM message WHERE id = ?");
    o->recipients = db_prepare(db, "SELECT state, address, orcpt, notify, code, enhanced, reason, host, from_peer, tried FROM recipient "
                                   "WHERE message = ?1 AND " OVER " ORDER BY number");
}

static void prepare_closing(struct over *o, struct db *db)
{
    o->reported = db_prepare(db, "INSERT INTO history (at, message, event, reason) VALUES (?, ?, 'reported', ?)");
    /* Where no attempt ended it, an administrator did, or an earlier version. */
    o->last_event = db_prepare(db, "INSERT INTO history (at, message, recipient, event, host, tls, code, enhanced, reason, taken) "
                                   "SELECT ?3, message, address, CASE state WHEN 4 THEN iif(reason = '" QUEUE_BOUNCED_REASON "', 'bounced', 'failed') "
                                   "WHEN 7 THEN 'discarded' ELSE 'delivered' END, host, tls, code, enhanced, reason, taken FROM recipient "
                                   "WHERE message = ?1 AND " ENDED " AND NOT EXISTS (SELECT 1 FROM history h WHERE h.message = ?1 AND "
                                   "h.recipient = recipient.address AND CASE WHEN recipient.state = 7 THEN h.event = 'discarded' "
                                   "WHEN recipient.state = 4 AND recipient.reason = '" QUEUE_BOUNCED_REASON "' THEN h.event = 'bounced' "
                                   "ELSE h.event IN ('delivered', 'failed', 'bounced', 'discarded') END)");
    o->remove = db_prepare(db, "DELETE FROM recipient WHERE message = ?1 AND " ENDED);
    o->told = db_prepare(db, "UPDATE recipient SET warn = 2 WHERE message = ?1 AND state < 4 AND warn = 1");
    o->hold = db_prepare(db, "UPDATE recipient SET state = iif(state >= 4, 3, state), warn = iif(warn = 1, 2, warn), reason = ?3 "
                             "WHERE message = ?1 AND " OVER);
}

bool over_init(struct over *o, struct queue *q, bool history, bool failures)
{
    *o = (struct over){.queue = q, .history = history, .failures = failures};
    prepare_finding(o, q->db);
    prepare_closing(o, q->db);
    return db_prepared_all(q->db);
}

static void bind_message(const struct over *o, struct db_query *q, int64_t message)
{
    db_bind_int(q, 1, message);
    db_bind_int(q, 2, o->failures ? RECIPIENT_FAILED : RECIPIENT_FAILED + 1);
}

/* 1 when others of the message are being delivered, or are about to be, and there is time to wait for them. */
static int waits(struct over *o, int64_t message, int64_t now)
{
    int found = 0;

    bind_message(o, o->wait, message);
    db_bind_int(o->wait, 3, now);
    db_bind_int(o->wait, 4, now - OVER_WAIT_MS + 1);
    if (db_step(o->wait))
        found = db_int(o->wait, 0) != 0 && db_int(o->wait, 1) == 0;
    return db_finish(o->wait) ? found : -1;
}

static int find(struct over *o, int64_t after, int64_t *message)
{
    int found = 0;

    bind_message(o, o->next, after);
    if (db_step(o->next)) {
        *message = db_int(o->next, 0);
        found = *message > after; /* else it is no number */
    }
    return db_finish(o->next) ? found : -1;
}

int over_next(struct over *o, int64_t after, int64_t now, int64_t *message)
{
    int found, waiting;

    do {
        found = find(o, after, message);
        waiting = found == 1 ? waits(o, *message, now) : 0;
        after = *message;
    } while (waiting == 1);
    return waiting < 0 ? -1 : found;
}

static int load_message(struct over *o, int64_t id, struct over_message *m)
{
    struct db_query *q = o->message;
    struct envelope *e = &m->envelope;
    int found = 0;

    db_bind_int(q, 1, id);
    if (db_step(q)) {
        e->session = arena_str(&m->arena, db_str(q, 0));
        e->arrived = db_int(q, 1);
        e->sender = arena_str(&m->arena, db_str(q, 2));
        e->sender_host = arena_str(&m->arena, db_str(q, 3));
        e->smtputf8 = db_int(q, 4) != 0;
        e->ret = db_int(q, 5) == RET_FULL ? RET_FULL : db_int(q, 5) == RET_HDRS ? RET_HDRS : RET_NONE;
        e->envid = arena_str(&m->arena, db_str(q, 6));
        m->size = db_int(q, 7);
        e->kind = db_int(q, 8) == MESSAGE_MAIL ? MESSAGE_MAIL : db_int(q, 8) == MESSAGE_REPORT ? MESSAGE_REPORT : MESSAGE_LAST_REPORT;
        found = 1;
    }
    return db_finish(q) ? found : -1;
}

static int load_recipients(struct over *o, struct over_message *m)
{
    struct db_query *q = o->recipients;
    struct over_recipient **end = &m->recipients;

    bind_message(o, q, m->envelope.id);
    while (db_step(q)) {
        struct over_recipient *r = arena_new(&m->arena, sizeof *r);

        r->state = (enum recipient_state)db_int(q, 0);
        r->address = arena_str(&m->arena, db_str(q, 1));
        r->orcpt = arena_str(&m->arena, db_str(q, 2));
        r->notify = (unsigned)db_int(q, 3);
        r->code = (int)db_int(q, 4);
        r->enhanced = arena_str(&m->arena, db_str(q, 5));
        r->reason = arena_str(&m->arena, db_str(q, 6));
        r->host = arena_str(&m->arena, db_str(q, 7));
        r->from_peer = db_int(q, 8) != 0;
        r->tried = db_int(q, 9);
        *end = r;
        end = &r->next;
    }
    return db_finish(q) ? 1 : -1;
}

int over_load(struct over *o, int64_t message, struct over_message **loaded)
{
    struct over_message *m = memory_new(sizeof *m);
    int found;

    arena_init(&m->arena);
    envelope_init(&m->envelope, &m->arena);
    m->envelope.id = message;
    found = load_message(o, message, m);
    if (found > 0)
        found = load_recipients(o, m);
    if (found <= 0)
        over_free(&m);
    *loaded = m;
    return found;
}

void over_free(struct over_message **m)
{
    if (*m == NULL)
        return;
    arena_done(&(*m)->arena);
    memory_free(m);
}

static bool copy(struct db_blob *blob, int64_t most, struct body *body)
{
    char scratch[BODY_PIECE];
    int64_t offset = 0;
    bool ok = true;

    while (ok && offset < most) {
        const size_t length = most - offset < BODY_PIECE ? (size_t)(most - offset) : BODY_PIECE;

        ok = db_blob_read(blob, offset, scratch, length);
        if (ok)
            body_append(body, (struct str){scratch, length});
        offset += (int64_t)length;
    }
    return ok;
}

bool over_content(struct over *o, const struct over_message *m, int64_t most, struct body *body)
{
    struct db_blob *blob = db_blob_open(o->queue->db, "message", "content", m->envelope.id, false);
    struct status why;
    bool ok;

    if (blob == NULL)
        return false;
    ok = db_blob_size(blob) == m->size && copy(blob, most < m->size ? most : m->size, body);
    return db_blob_close(&blob) && ok && !body_failed(body, &why);
}

bool over_reported(struct over *o, int64_t message, int64_t report, int64_t now)
{
    char id[QUEUE_ID_SIZE];

    if (!o->history)
        return true;
    queue_id_text(report, id);
    db_bind_int(o->reported, 1, now);
    db_bind_int(o->reported, 2, message);
    db_bind_str(o->reported, 3, str_of(id));
    return db_execute(o->reported);
}

static bool write_last_events(struct over *o, int64_t message, int64_t now)
{
    if (!o->history)
        return true;
    bind_message(o, o->last_event, message);
    db_bind_int(o->last_event, 3, now);
    return db_execute(o->last_event);
}

static bool execute_for(struct db_query *q, int64_t message)
{
    db_bind_int(q, 1, message);
    return db_execute(q);
}

bool over_close(struct over *o, int64_t message, int64_t now)
{
    if (!write_last_events(o, message, now))
        return false;
    bind_message(o, o->remove, message);
    return db_execute(o->remove) && execute_for(o->told, message) && queue_forget(o->queue, message, o->history);
}

bool over_hold(struct over *o, int64_t message, const char *why)
{
    bind_message(o, o->hold, message);
    db_bind_str(o->hold, 3, str_of(why));
    return db_execute(o->hold);
}

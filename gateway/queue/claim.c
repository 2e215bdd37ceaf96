#include "queue/claim.h"

#include "base/memory.h"
#include "queue/schema.h"

bool claims_init(struct claims *c, struct queue *q)
{
    struct db *db = q->db;

    *c = (struct claims){
        .queue = q,
        .next_domain = db_prepare(db, "SELECT domain, due FROM recipient INDEXED BY recipient_due WHERE state = 1 AND domain > ? "
                                      "ORDER BY domain, due LIMIT 1"),
        .due = db_prepare(db, "SELECT message, number FROM recipient INDEXED BY recipient_due WHERE state = 1 AND domain = ? AND due <= ? "
                              "ORDER BY due LIMIT ?"),
        .message = db_prepare(db, "SELECT session, arrived, sender, sender_host, user, client, helo, body, smtputf8, ret, envid, size "
                                  "FROM message WHERE id = ?"),
        .content = db_prepare(db, "SELECT content FROM message WHERE id = ?"),
        .recipients = db_prepare(db, "SELECT number, address, domain, notify, orcpt, due, flushed, attempts FROM recipient "
                                     "WHERE message = ? AND state = 1 AND due <= ?"),
        .mark = db_prepare(db, "UPDATE recipient SET state = 2, owner = ?3, attempts = attempts + 1 WHERE message = ?1 AND number = ?2"),
        .delivered = db_prepare(db, "DELETE FROM recipient WHERE message = ? AND number = ?"),
        .forget = db_prepare(db, "DELETE FROM message WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM recipient WHERE message = ?1)"),
        .later = db_prepare(db, "UPDATE recipient SET state = 1, owner = NULL, crashes = 0, due = ?3, tried = ?4, host = ?5, code = ?6, enhanced = ?7, "
                                "reason = ?8, tls = ?9 WHERE message = ?1 AND number = ?2"),
        .failed = db_prepare(db, "UPDATE recipient SET state = 4, owner = NULL, due = ?3, tried = ?4, host = ?5, code = ?6, enhanced = ?7, "
                                 "reason = ?8, tls = ?9 WHERE message = ?1 AND number = ?2"),
        .give_back = db_prepare(db, "UPDATE recipient SET state = 1, owner = NULL, attempts = attempts - 1 WHERE message = ?1 AND number = ?2"),
        .hold = db_prepare(db, "UPDATE recipient SET state = 3, owner = NULL, reason = ?2 WHERE message = ?1 AND state IN (1, 2)"),
        .hold_domain = db_prepare(db, "UPDATE recipient SET state = 3, reason = ?2 WHERE state = 1 AND domain = ?1"),
        .hold_no_domain = db_prepare(db, "UPDATE recipient SET state = 3, reason = ?1 WHERE state = 1 AND domain IS NULL"),
        .give_back_all = db_prepare(db, "UPDATE recipient SET state = 1, owner = NULL WHERE state = 2 AND owner = ?"),
        .bring_forward = db_prepare(db, "UPDATE recipient SET due = ?1 WHERE state = 1 AND due > ?2"),
        .owners = db_prepare(db, "SELECT DISTINCT owner FROM recipient WHERE state = 2"),
        .recover = db_prepare(db, "UPDATE recipient SET state = CASE WHEN crashes + 1 >= ?4 THEN 3 ELSE 1 END, owner = NULL, crashes = crashes + 1, "
                                  "due = CASE WHEN crashes = 0 THEN ?2 ELSE ?2 + ?3 END, tried = ?2, code = 451, enhanced = '4.3.0', reason = "
                                  "'the delivery process ended during the attempt' WHERE state = 2 AND owner = ?1"),
    };
    return c->next_domain != NULL && c->due != NULL && c->message != NULL && c->recipients != NULL && c->mark != NULL && c->delivered != NULL &&
           c->forget != NULL && c->later != NULL && c->failed != NULL && c->give_back != NULL && c->owners != NULL && c->recover != NULL &&
           c->content != NULL && c->hold != NULL && c->hold_domain != NULL && c->hold_no_domain != NULL && c->give_back_all != NULL && c->bring_forward != NULL;
}

static const char no_domain[] = "the domain cannot be read from the queue";

/* What the program wrote is none of these: a damaged row must not keep those behind it from their turn. */
static bool hold_domain(struct claims *c, struct str domain)
{
    db_bind_str(c->hold_domain, 1, domain);
    db_bind_str(c->hold_domain, 2, STR(no_domain));
    return db_execute(c->hold_domain);
}

int claims_next_domain(struct claims *c, struct str after, char *domain, int64_t *due)
{
    bool found, fits, ok;

    do {
        db_bind_str(c->next_domain, 1, after);
        found = db_step(c->next_domain);
        fits = !found || str_copy(db_str(c->next_domain, 0), domain, DOMAIN_SIZE);
        if (found)
            *due = db_int(c->next_domain, 1);
        ok = fits || hold_domain(c, db_str(c->next_domain, 0));
        ok = db_finish(c->next_domain) && ok;
    } while (ok && !fits);
    return ok ? found : -1;
}

int claims_due(struct claims *c, const char *domain, int64_t now, struct due *to, int most)
{
    int count = 0;

    db_bind_str(c->due, 1, str_of(domain));
    db_bind_int(c->due, 2, now);
    db_bind_int(c->due, 3, most);
    while (db_step(c->due) && count < most)
        to[count++] = (struct due){db_int(c->due, 0), db_int(c->due, 1)};
    return db_finish(c->due) ? count : -1;
}

static int load_message(struct claims *c, int64_t id, struct claimed *m)
{
    struct db_query *q = c->message;
    struct envelope *e = &m->envelope;
    int found = 0;

    db_bind_int(q, 1, id);
    if (db_step(q)) {
        e->id = id;
        e->session = arena_str(&m->arena, db_str(q, 0));
        e->arrived = db_int(q, 1);
        e->sender = arena_str(&m->arena, db_str(q, 2));
        e->sender_host = arena_str(&m->arena, db_str(q, 3));
        e->user = arena_str(&m->arena, db_str(q, 4));
        e->client = arena_str(&m->arena, db_str(q, 5));
        e->helo = arena_str(&m->arena, db_str(q, 6));
        e->body = (db_int(q, 7) & ~MESSAGE_FLAGS) == BODY_8BITMIME ? BODY_8BITMIME : BODY_7BIT;
        e->auth = (db_int(q, 7) & MESSAGE_AUTH) != 0;
        e->tls_optional = (db_int(q, 7) & MESSAGE_TLS_OPTIONAL) != 0;
        e->smtputf8 = db_int(q, 8) != 0;
        e->ret = db_int(q, 9) == RET_FULL ? RET_FULL : db_int(q, 9) == RET_HDRS ? RET_HDRS : RET_NONE;
        e->envid = arena_str(&m->arena, db_str(q, 10));
        m->size = db_int(q, 11);
        m->has_content = m->size <= CLAIM_CONTENT_MAX;
        found = 1;
    }
    return db_finish(q) ? found : -1;
}

static int load_recipients(struct claims *c, int64_t now, struct claimed *m)
{
    struct db_query *q = c->recipients;
    struct delivery **end = &m->deliveries;

    db_bind_int(q, 1, m->envelope.id);
    db_bind_int(q, 2, now);
    while (db_step(q)) {
        struct delivery *d = arena_new(&m->arena, sizeof *d);

        d->message = m->envelope.id;
        d->recipient.number = (int)db_int(q, 0);
        d->recipient.address = arena_str(&m->arena, db_str(q, 1));
        d->recipient.domain = arena_str(&m->arena, db_str(q, 2));
        d->recipient.notify = (unsigned)db_int(q, 3);
        d->recipient.orcpt = arena_str(&m->arena, db_str(q, 4));
        d->due = db_int(q, 5);
        d->flushed = db_int(q, 6);
        d->attempts = db_int(q, 7) + 1; /* with the one that claims_mark counts */
        *end = d;
        end = &d->next;
    }
    return db_finish(q) ? m->deliveries != NULL : -1;
}

int claims_load(struct claims *c, int64_t message, int64_t now, struct claimed **loaded)
{
    struct claimed *m = memory_new(sizeof *m);
    int found;

    arena_init(&m->arena);
    envelope_init(&m->envelope, &m->arena);
    found = load_message(c, message, m);
    if (found > 0)
        found = load_recipients(c, now, m);
    if (found <= 0)
        claimed_free(&m);
    *loaded = m;
    return found;
}

bool claims_load_content(struct claims *c, struct claimed *m)
{
    bool found = false;

    if (!m->has_content || m->content.data != NULL)
        return true;
    db_bind_int(c->content, 1, m->envelope.id);
    if (db_step(c->content)) {
        m->content = arena_str(&m->arena, db_str(c->content, 0));
        found = (int64_t)m->content.length == m->size;
    }
    return db_finish(c->content) && found;
}

bool claims_hold(struct claims *c, int64_t message, const char *why)
{
    db_bind_int(c->hold, 1, message);
    db_bind_str(c->hold, 2, str_of(why));
    return db_execute(c->hold);
}

bool claims_give_back_all(struct claims *c, int64_t owner)
{
    db_bind_int(c->give_back_all, 1, owner);
    return db_execute(c->give_back_all);
}

bool claims_bring_forward(struct claims *c, int64_t now, int64_t latest)
{
    db_bind_int(c->bring_forward, 1, now);
    db_bind_int(c->bring_forward, 2, latest);
    return db_execute(c->bring_forward);
}

void claimed_free(struct claimed **c)
{
    if (*c == NULL)
        return;
    arena_done(&(*c)->arena);
    memory_free(c);
}

static void bind_recipient(struct db_query *q, const struct delivery *d)
{
    db_bind_int(q, 1, d->message);
    db_bind_int(q, 2, d->recipient.number);
}

bool claims_mark(struct claims *c, const struct delivery *d, int64_t owner)
{
    bind_recipient(c->mark, d);
    db_bind_int(c->mark, 3, owner);
    return db_execute(c->mark);
}

bool claims_delivered(struct claims *c, const struct delivery *d)
{
    bind_recipient(c->delivered, d);
    if (!db_execute(c->delivered))
        return false;
    db_bind_int(c->forget, 1, d->message);
    return db_execute(c->forget);
}

static bool settle(struct db_query *q, const struct delivery *d, int64_t now, int64_t due)
{
    char enhanced[STATUS_ENHANCED_SIZE], reason[STATUS_QUOTED_SIZE];

    status_enhanced(&d->status, enhanced);
    status_quote(&d->status, reason);
    bind_recipient(q, d);
    db_bind_int(q, 3, due);
    db_bind_int(q, 4, now);
    db_bind_optional(q, 5, str_of(d->host));
    db_bind_int(q, 6, d->status.code);
    db_bind_optional(q, 7, str_trim(str_of(enhanced)));
    db_bind_str(q, 8, str_of(reason));
    db_bind_optional(q, 9, str_of(d->tls));
    return db_execute(q);
}

bool claims_later(struct claims *c, const struct delivery *d, int64_t now, int64_t due)
{
    return settle(c->later, d, now, due);
}

bool claims_failed(struct claims *c, const struct delivery *d, int64_t now)
{
    return settle(c->failed, d, now, now);
}

bool claims_give_back(struct claims *c, const struct delivery *d)
{
    bind_recipient(c->give_back, d);
    return db_execute(c->give_back);
}

enum { OWNERS_MAX = 64 };

static int list_owners(struct claims *c, int64_t *owners)
{
    int count = 0;

    while (count < OWNERS_MAX && db_step(c->owners))
        owners[count++] = db_int(c->owners, 0);
    return db_finish(c->owners) ? count : -1;
}

bool claims_recover(struct claims *c, const struct owner *self, int64_t now, int64_t retry_ms, int64_t *recovered)
{
    int64_t owners[OWNERS_MAX];
    int count = list_owners(c, owners);

    *recovered = 0;
    db_bind_str(c->hold_no_domain, 1, STR(no_domain));
    if (!db_execute(c->hold_no_domain) || !hold_domain(c, STR("")))
        return false;
    for (int i = 0; i < count; i++) {
        if (owner_is_alive(self, owners[i]))
            continue;
        db_bind_int(c->recover, 1, owners[i]);
        db_bind_int(c->recover, 2, now);
        db_bind_int(c->recover, 3, retry_ms);
        db_bind_int(c->recover, 4, CLAIM_CRASHES_MAX);
        if (!db_execute(c->recover))
            return false;
        *recovered += db_changes(c->queue->db);
    }
    return count >= 0;
}

#include "queue/claim.h"

#include "base/clock.h"
#include "base/memory.h"
#include "queue/schema.h"

enum { ATTEMPTS_MOST = 1000000, DAY_MS = 86400000 };
#define DOMAIN_MOST "255" /* DOMAIN_SIZE without its end */

/* What an administrator wished for during an attempt decides over where its end leads. */
#define AFTER_WISH(state) \
    "wish = CASE wish WHEN 3 THEN 3 ELSE 0 END, owner = NULL, state = CASE wish WHEN 1 THEN 3 WHEN 2 THEN 7 WHEN 3 THEN 4 ELSE " state " END"
#define UNLESS_BOUNCED(column, bounced, value) column " = CASE wish WHEN 3 THEN " bounced " ELSE " value " END"
#define WORDS(code, enhanced, reason, from_peer) \
    UNLESS_BOUNCED("code", QUEUE_BOUNCED_CODE, code) ", " UNLESS_BOUNCED("enhanced", "'" QUEUE_BOUNCED_ENHANCED "'", enhanced) ", " \
    UNLESS_BOUNCED("reason", "'" QUEUE_BOUNCED_REASON "'", reason) ", " UNLESS_BOUNCED("from_peer", "0", from_peer)
#define SAME_WORDS WORDS("code", "enhanced", "reason", "from_peer")
#define CRASHED "the delivery process ended during the attempt"
#define OUTCOME "tried = ?4, host = ?5, tls = ?9, " WORDS("?6", "?7", "?8", "?10")
#define ONE " WHERE message = ?1 AND number = ?2"

static void prepare_finding(struct claims *c, struct db *db)
{
    c->due_first = db_prepare(db, "SELECT message, number FROM recipient INDEXED BY recipient_time WHERE state = 1 AND due <= ? ORDER BY due LIMIT ?");
    c->next_due = db_prepare(db, "SELECT due FROM recipient INDEXED BY recipient_time WHERE state = 1 AND due > ? ORDER BY due LIMIT 1");
    c->next_domain = db_prepare(db, "SELECT domain, due FROM recipient INDEXED BY recipient_due WHERE state = 1 AND domain > ? "
                                    "ORDER BY domain, due LIMIT 1");
    c->next_flow = db_prepare(db, "SELECT flow FROM recipient INDEXED BY recipient_flow WHERE state = 1 AND flow > ? ORDER BY flow LIMIT 1");
    c->next_of_flow = db_prepare(db, "SELECT domain, due FROM recipient INDEXED BY recipient_flow WHERE state = 1 AND flow = ?2 AND domain > ?1 "
                                     "ORDER BY domain, due LIMIT 1");
    c->due = db_prepare(db, "SELECT message, number FROM recipient INDEXED BY recipient_due WHERE state = 1 AND domain = ?3 AND due <= ?1 "
                            "ORDER BY due LIMIT ?2");
    c->due_of_flow = db_prepare(db, "SELECT message, number FROM recipient INDEXED BY recipient_flow WHERE state = 1 AND flow = ?4 AND domain = ?3 AND "
                                    "due <= ?1 ORDER BY due LIMIT ?2");
    c->message = db_prepare(db, "SELECT session, arrived, sender, sender_host, user, client, helo, body, smtputf8, ret, envid, size, kind "
                                "FROM message WHERE id = ?");
    c->content = db_prepare(db, "SELECT content FROM message WHERE id = ?");
    c->recipients = db_prepare(db, "SELECT number, address, domain, notify, orcpt, due, flushed, attempts, warn, route, taken, sender, list FROM recipient "
                                   "WHERE message = ? AND state = 1 AND due <= ?");
}

static void prepare_settling(struct claims *c, struct db *db)
{
    c->mark = db_prepare(db, "UPDATE recipient SET state = 2, owner = ?3, attempts = attempts + 1" ONE);
    c->delivered = db_prepare(db, "DELETE FROM recipient" ONE);
    c->later = db_prepare(db, "UPDATE recipient SET " AFTER_WISH("1") ", crashes = 0, warn = max(warn, ?11), due = ?3, " OUTCOME ONE);
    c->failed = db_prepare(db, "UPDATE recipient SET " AFTER_WISH("4") ", due = ?3, tried = ?4, host = ?5, code = ?6, enhanced = ?7, reason = ?8, tls = ?9, "
                               "from_peer = ?10" ONE);
    c->relayed = db_prepare(db, "UPDATE recipient SET wish = 0, owner = NULL, state = ?11, due = ?3, tried = ?4, host = ?5, code = ?6, enhanced = ?7, "
                                "reason = ?8, tls = ?9, from_peer = ?10" ONE);
    c->give_back = db_prepare(db, "UPDATE recipient SET " AFTER_WISH("1") ", attempts = attempts - 1, " SAME_WORDS ONE);
    c->give_back_all = db_prepare(db, "UPDATE recipient SET " AFTER_WISH("1") ", " SAME_WORDS " WHERE state = 2 AND owner = ?");
    c->postpone = db_prepare(db, "UPDATE recipient SET due = ?3, code = ?4, enhanced = ?5, reason = ?6, from_peer = ?7" ONE " AND state = 1");
    c->attempt = db_prepare(db, "INSERT INTO history (at, message, recipient, event, attempt, took, host, tls, code, enhanced, reason, taken) "
                                "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
}

static void prepare_mending(struct claims *c, struct db *db)
{
    c->hold = db_prepare(db, "UPDATE recipient SET state = 3, owner = NULL, wish = 0, reason = ?2 WHERE message = ?1 AND state IN (1, 2)");
    c->hold_damaged = db_prepare(db, "UPDATE recipient SET state = 3, reason = 'what it is sorted by cannot be read from the queue' WHERE +state = 1 AND (typeof(domain) <> 'text' OR "
                                     "length(CAST(domain AS BLOB)) NOT BETWEEN 1 AND " DOMAIN_MOST " OR instr(domain, char(0)) > 0 OR "
                                     "typeof(flow) <> 'integer' OR flow < 0 OR typeof(due) <> 'integer')");
    c->ahead = db_prepare(db, "SELECT 1 FROM recipient WHERE +state = 1 AND due > ? LIMIT 1");
    c->bring_forward = db_prepare(db, "UPDATE recipient SET due = ?1 WHERE state = 1 AND due > ?2");
    c->owners = db_prepare(db, "SELECT DISTINCT owner FROM recipient WHERE state = 2");
    c->crashes = db_prepare(db, "INSERT INTO history (at, message, recipient, event, attempt, reason) SELECT ?2, message, address, 'crashed', attempts, "
                                "'" CRASHED "' FROM recipient WHERE state = 2 AND owner = ?1");
    c->recover = db_prepare(db, "UPDATE recipient SET " AFTER_WISH("iif(crashes + 1 >= ?4, 3, 1)") ", crashes = crashes + 1, "
                                "due = CASE WHEN crashes = 0 THEN ?2 ELSE ?2 + ?3 END, tried = ?2, " WORDS("451", "'4.3.0'", "'" CRASHED "'", "0")
                                " WHERE state = 2 AND owner = ?1");
}

bool claims_init(struct claims *c, struct queue *q, bool history)
{
    *c = (struct claims){.queue = q, .history = history};
    prepare_finding(c, q->db);
    prepare_settling(c, q->db);
    prepare_mending(c, q->db);
    return db_prepared_all(q->db);
}

bool claims_hold_damaged(struct claims *c)
{
    return db_execute(c->hold_damaged);
}

/* The domain and the time of Q's row.  What does not fit is damage, and not found again once that is held. */
static int take_domain(struct claims *c, struct db_query *q, char *domain, int64_t *due)
{
    bool found = db_step(q), fits = !found || str_copy(db_str(q, 0), domain, DOMAIN_SIZE);

    if (found)
        *due = db_int(q, 1);
    if (!db_finish(q) || (!fits && !claims_hold_damaged(c)))
        return -1;
    return fits ? found : 2;
}

int claims_next_domain(struct claims *c, struct str after, char *domain, int64_t *due)
{
    int found = 2;

    for (int tries = 0; found == 2 && tries < 2; tries++) {
        db_bind_str(c->next_domain, 1, after);
        found = take_domain(c, c->next_domain, domain, due);
    }
    return found == 2 ? -1 : found;
}

int claims_next_of_flow(struct claims *c, int64_t flow, struct str after, char *domain, int64_t *due)
{
    int found = 2;

    for (int tries = 0; found == 2 && tries < 2; tries++) {
        db_bind_str(c->next_of_flow, 1, after);
        db_bind_int(c->next_of_flow, 2, flow);
        found = take_domain(c, c->next_of_flow, domain, due);
    }
    return found == 2 ? -1 : found;
}

int claims_next_flow(struct claims *c, int64_t after, int64_t *flow)
{
    int found = 0;

    db_bind_int(c->next_flow, 1, after);
    if (db_step(c->next_flow)) {
        *flow = db_int(c->next_flow, 0);
        found = 1;
    }
    return db_finish(c->next_flow) ? found : -1;
}

static int list_due(struct db_query *q, int64_t now, struct due *to, int most)
{
    int count = 0;

    db_bind_int(q, 1, now);
    db_bind_int(q, 2, most);
    while (count < most && db_step(q))
        to[count++] = (struct due){db_int(q, 0), db_int(q, 1)};
    return db_finish(q) ? count : -1;
}

int claims_due(struct claims *c, const char *domain, int64_t flow, int64_t now, struct due *to, int most)
{
    struct db_query *q = flow < 0 ? c->due : c->due_of_flow;

    db_bind_str(q, 3, str_of(domain));
    if (flow >= 0)
        db_bind_int(q, 4, flow);
    return list_due(q, now, to, most);
}

int claims_due_first(struct claims *c, int64_t now, struct due *to, int most)
{
    return list_due(c->due_first, now, to, most);
}

int claims_next_due(struct claims *c, int64_t now, int64_t *due)
{
    int found = 0;

    db_bind_int(c->next_due, 1, now);
    if (db_step(c->next_due)) {
        *due = db_int(c->next_due, 0);
        found = 1;
    }
    return db_finish(c->next_due) ? found : -1;
}

/* What a damaged row says stays within reason. */
static int64_t within(int64_t value, int64_t least, int64_t most)
{
    return value < least ? least : value > most ? most : value;
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
        e->arrived = within(db_int(q, 1), 0, clock_wall() + DAY_MS);
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
        e->kind = (enum message_kind)within(db_int(q, 12), MESSAGE_MAIL, MESSAGE_LAST_REPORT);
        m->has_content = m->size <= CLAIM_CONTENT_MAX;
        found = 1;
    }
    return db_finish(q) ? found : -1;
}

static int load_recipients(struct claims *c, int64_t now, struct claimed *m)
{
    struct db_query *q = c->recipients;
    struct delivery **end = &m->deliveries;
    bool damaged = false;
    char domain[DOMAIN_SIZE];

    db_bind_int(q, 1, m->envelope.id);
    db_bind_int(q, 2, now);
    while (db_step(q)) {
        struct delivery *d = arena_new(&m->arena, sizeof *d);

        if (db_str(q, 2).length == 0 || !str_copy(db_str(q, 2), domain, sizeof domain)) {
            damaged = true;
            continue;
        }
        d->message = m->envelope.id;
        d->recipient.number = (int)db_int(q, 0);
        d->recipient.address = arena_str(&m->arena, db_str(q, 1));
        d->recipient.domain = arena_str(&m->arena, db_str(q, 2));
        d->recipient.notify = (unsigned)db_int(q, 3);
        d->recipient.orcpt = arena_str(&m->arena, db_str(q, 4));
        d->due = db_int(q, 5);
        d->flushed = db_int(q, 6);
        d->attempts = within(db_int(q, 7), 0, ATTEMPTS_MOST) + 1; /* with the one that claims_mark counts */
        d->warned = db_int(q, 8) != 0;
        d->recipient.route = db_int(q, 9);
        d->recipient.taken = arena_str(&m->arena, db_str(q, 10));
        d->recipient.sender = arena_str(&m->arena, db_str(q, 11));
        d->recipient.list = arena_str(&m->arena, db_str(q, 12));
        *end = d;
        end = &d->next;
    }
    return db_finish(q) && (!damaged || claims_hold_damaged(c)) ? m->deliveries != NULL : -1;
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

int claims_are_ahead(struct claims *c, int64_t latest)
{
    bool found;

    db_bind_int(c->ahead, 1, latest);
    found = db_step(c->ahead);
    return db_finish(c->ahead) ? found : -1;
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

/* How an attempt ended, as text and numbers that the tables keep. */
struct words {
    char enhanced[STATUS_ENHANCED_SIZE], reason[STATUS_QUOTED_SIZE];
};

static void find_words(const struct status *s, struct words *w)
{
    w->enhanced[0] = '\0';
    if (!s->coined)
        status_enhanced(s, w->enhanced);
    status_quote(s, w->reason);
}

/* A row of the history; TAKEN with the recipient's last one. */
static bool write_attempt(struct claims *c, const struct delivery *d, int64_t now, const char *event, struct str taken)
{
    struct db_query *q = c->attempt;
    struct words w;

    if (!c->history)
        return true;
    find_words(&d->status, &w);
    db_bind_int(q, 1, now);
    db_bind_int(q, 2, d->message);
    db_bind_str(q, 3, d->recipient.address);
    db_bind_str(q, 4, str_of(event));
    db_bind_int(q, 5, d->attempts);
    db_bind_int(q, 6, d->took);
    db_bind_optional(q, 7, str_of(d->host));
    db_bind_optional(q, 8, str_of(d->tls));
    db_bind_int(q, 9, d->status.code);
    db_bind_optional(q, 10, str_trim(str_of(w.enhanced)));
    db_bind_str(q, 11, str_of(w.reason));
    db_bind_optional(q, 12, taken);
    return db_execute(q);
}

/* What is bound of W is borrowed until the query has been executed. */
static void bind_outcome(struct db_query *q, const struct delivery *d, int64_t now, int64_t due, struct words *w)
{
    find_words(&d->status, w);
    bind_recipient(q, d);
    db_bind_int(q, 3, due);
    db_bind_int(q, 4, now);
    db_bind_optional(q, 5, str_of(d->host));
    db_bind_int(q, 6, d->status.code);
    db_bind_optional(q, 7, str_trim(str_of(w->enhanced)));
    db_bind_str(q, 8, str_of(w->reason));
    db_bind_optional(q, 9, str_of(d->tls));
    db_bind_int(q, 10, d->status.from_peer);
}

bool claims_delivered(struct claims *c, const struct delivery *d, int64_t now)
{
    struct words w;

    if (!write_attempt(c, d, now, "delivered", d->recipient.taken))
        return false;
    if (d->relayed) {
        bind_outcome(c->relayed, d, now, now, &w);
        db_bind_int(c->relayed, 11, d->at_home ? 5 : 6);
        return db_execute(c->relayed);
    }
    bind_recipient(c->delivered, d);
    return db_execute(c->delivered) && queue_forget(c->queue, d->message, c->history);
}

bool claims_later(struct claims *c, const struct delivery *d, int64_t now, int64_t due)
{
    struct words w;

    bind_outcome(c->later, d, now, due, &w);
    db_bind_int(c->later, 11, d->warn);
    return db_execute(c->later) && write_attempt(c, d, now, "deferred", STR(""));
}

bool claims_failed(struct claims *c, const struct delivery *d, int64_t now)
{
    struct words w;

    bind_outcome(c->failed, d, now, now, &w);
    return db_execute(c->failed) && write_attempt(c, d, now, "failed", d->recipient.taken);
}

bool claims_give_back(struct claims *c, const struct delivery *d)
{
    bind_recipient(c->give_back, d);
    return db_execute(c->give_back);
}

bool claims_postpone(struct claims *c, const struct delivery *d, int64_t due, const struct status *why)
{
    struct words w;

    find_words(why, &w);
    bind_recipient(c->postpone, d);
    db_bind_int(c->postpone, 3, due);
    db_bind_int(c->postpone, 4, why->code);
    db_bind_optional(c->postpone, 5, str_trim(str_of(w.enhanced)));
    db_bind_str(c->postpone, 6, str_of(w.reason));
    db_bind_int(c->postpone, 7, why->from_peer);
    return db_execute(c->postpone);
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
    for (int i = 0; i < count; i++) {
        if (owner_is_alive(self, owners[i]))
            continue;
        db_bind_int(c->crashes, 1, owners[i]);
        db_bind_int(c->crashes, 2, now);
        if (c->history && !db_execute(c->crashes))
            return false;
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

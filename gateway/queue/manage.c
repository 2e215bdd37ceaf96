#include "queue/manage.h"

#include "base/clock.h"
#include "base/memory.h"
#include "queue/schema.h"
#include "queue/wake.h"

/* Recipients a step, so many that its transaction takes about STEP_MS. */
enum { STEP_MOST = 1000, STEP_FIRST = 200, STEP_MS = 20, WAKE_MS = 500, LOG_RECIPIENTS = 2000 };

/* The pages of a step stay in memory until it is over. */
static const char make_picked[] = "PRAGMA temp_store = MEMORY;\n"
                                  "PRAGMA cache_size = -16384;\n"
                                  "CREATE TEMP TABLE IF NOT EXISTS picked (message INTEGER, number INTEGER, PRIMARY KEY (message, number)) "
                                  "WITHOUT ROWID";

#define STATE(name) (1U << RECIPIENT_##name)
#define PICKED " WHERE (message, number) IN (SELECT message, number FROM picked)"
#define ORPHANS " WHERE id IN (SELECT message FROM picked) AND NOT EXISTS (SELECT 1 FROM recipient WHERE message = id)"
/* ?1 is the time, ?2 the route; all changes name both, for one function binds them. */
#define PARAMETERS " AND ?1 > 0 AND ?2 >= 0"
/* What has failed keeps why. */
#define UNLESS_FAILED(column, value) column " = CASE state WHEN 4 THEN " column " ELSE " value " END, "

static const struct verb {
    const char *event;
    unsigned states;    /* changed at once */
    const char *change; /* of those states */
    unsigned marked;    /* RECIPIENT_IN_PROGRESS, or nothing */
    const char *mark;   /* of what is in progress */
    bool ends;          /* it is the last that happens to a recipient */
    bool removes;       /* and messages without recipients go */
} verbs[MANAGE_VERBS] = {
    [MANAGE_FLUSH] = {.event = "flushed",
                      .states = STATE(SCHEDULED),
                      .change = "UPDATE recipient SET due = ?1, flushed = ?1" PICKED " AND state = 1" PARAMETERS},
    [MANAGE_HOLD] = {.event = "held",
                     .states = STATE(SCHEDULED),
                     .change = "UPDATE recipient SET state = 3" PICKED " AND state = 1" PARAMETERS,
                     .marked = STATE(IN_PROGRESS),
                     .mark = "UPDATE recipient SET wish = 1" PICKED " AND state = 2"},
    [MANAGE_RELEASE] = {.event = "released",
                        .states = STATE(HELD) | STATE(FAILED),
                        .change = "UPDATE recipient SET state = 1, wish = 0, due = ?1, flushed = ?1, crashes = 0" PICKED
                                  " AND state IN (3, 4)" PARAMETERS,
                        .marked = STATE(IN_PROGRESS),
                        .mark = "UPDATE recipient SET wish = 0" PICKED " AND state = 2 AND wish <> 0"},
    [MANAGE_DISCARD] = {.event = "discarded",
                        .states = STATE(SCHEDULED) | STATE(HELD) | STATE(FAILED),
                        .change = "DELETE FROM recipient" PICKED " AND state IN (1, 3, 4)" PARAMETERS,
                        .marked = STATE(IN_PROGRESS),
                        .mark = "UPDATE recipient SET wish = 2" PICKED " AND state = 2",
                        .ends = true,
                        .removes = true},
    [MANAGE_BOUNCE] = {.event = "bounced",
                       .states = STATE(SCHEDULED) | STATE(HELD) | STATE(FAILED),
                       .change = "UPDATE recipient SET " UNLESS_FAILED("host", "NULL") UNLESS_FAILED("tls", "NULL") UNLESS_FAILED("from_peer", "0")
                           UNLESS_FAILED("code", QUEUE_BOUNCED_CODE) UNLESS_FAILED("enhanced", "'" QUEUE_BOUNCED_ENHANCED "'")
                               UNLESS_FAILED("reason", "'" QUEUE_BOUNCED_REASON "'") "state = 4, wish = 3, due = ?1" PICKED " AND state IN (1, 3, 4)" PARAMETERS,
                       .marked = STATE(IN_PROGRESS),
                       .mark = "UPDATE recipient SET wish = 3" PICKED " AND state = 2",
                       .ends = true},
    [MANAGE_REROUTE] = {.event = "rerouted",
                        .states = STATE(SCHEDULED) | STATE(HELD) | STATE(FAILED),
                        .change = "UPDATE recipient SET route = nullif(?2, 0), due = CASE state WHEN 1 THEN ?1 ELSE due END, "
                                  "flushed = CASE state WHEN 1 THEN ?1 ELSE flushed END" PICKED " AND state IN (1, 3, 4)",
                        .marked = STATE(IN_PROGRESS),
                        .mark = "UPDATE recipient SET route = nullif(?2, 0)" PICKED " AND state = 2"},
    [MANAGE_PURGE] = {.event = "discarded",
                      .states = STATE(FAILED),
                      .change = "DELETE FROM recipient" PICKED " AND state = 4" PARAMETERS,
                      .ends = true,
                      .removes = true},
};

struct run {
    struct queue *queue;
    const struct selection *selection;
    const struct manage_change *change;
    const struct verb *verb;
    struct manage_result *result;
    struct db_query *pick, *pick_rest, *clear, *last;
    struct db_query *history, *act, *mark, *messages, *remember, *forget;
    int64_t message, number; /* the last that was picked */
    int64_t newest;          /* what comes later, such as our own reports, is not meant */
    int64_t now;
    int most; /* of the next step */
    int64_t woken;
    int64_t in_log; /* recipients whose change is in the database's log alone */
};

unsigned manage_states(enum manage_verb verb)
{
    return verbs[verb].states | (verb == MANAGE_RELEASE ? 0 : verbs[verb].marked);
}

static struct db_query *prepare_pick(struct run *r, const char *which)
{
    struct buf sql = {0};
    struct db_query *query;

    buf_add_text(&sql, "INSERT OR IGNORE INTO picked SELECT r.message, r.number");
    selection_write(r->selection, &sql);
    buf_print(&sql, " AND ?4 >> r.state & 1 AND r.message <= ?5 AND %s", which);
    query = db_prepare(r->queue->db, buf_text(&sql));
    buf_done(&sql);
    return query;
}

static bool prepare(struct run *r)
{
    struct db *db = r->queue->db;

    if (!db_run(db, make_picked))
        return false;
    r->pick = prepare_pick(r, "(r.message, r.number) > (?1, ?2) ORDER BY r.message, r.number LIMIT ?3");
    r->pick_rest = prepare_pick(r, "r.message = ?1 AND r.number > ?2 AND ?3 > 0");
    r->clear = db_prepare(db, "DELETE FROM picked");
    r->last = db_prepare(db, "SELECT message, number FROM picked ORDER BY message DESC, number DESC LIMIT 1");
    r->history = db_prepare(db, "INSERT INTO history (at, message, recipient, event, reason, taken) SELECT ?1, message, address, ?2, ?3, "
                                "CASE ?5 WHEN 1 THEN taken END FROM recipient" PICKED " AND ?4 >> state & 1");
    r->act = db_prepare(db, r->verb->change);
    r->mark = r->verb->mark != NULL ? db_prepare(db, r->verb->mark) : NULL;
    r->messages = db_prepare(db, "SELECT DISTINCT p.message FROM picked p JOIN recipient r ON r.message = p.message AND r.number = p.number "
                                 "WHERE r.state = 4");
    r->remember = db_prepare(db, QUEUE_REMEMBER ORPHANS);
    r->forget = db_prepare(db, "DELETE FROM message" ORPHANS);
    return db_prepared_all(db);
}

static bool pick_with(struct run *r, struct db_query *pick)
{
    selection_bind(r->selection, pick);
    db_bind_int(pick, 1, r->message);
    db_bind_int(pick, 2, r->number);
    db_bind_int(pick, 3, r->most);
    db_bind_int(pick, 4, r->verb->states | r->verb->marked);
    db_bind_int(pick, 5, r->newest);
    return db_execute(pick);
}

/* Where the picking has come to.  1, 0 when nothing was picked, or -1. */
static int find_last(struct run *r)
{
    int found = db_step(r->last);

    if (found) {
        r->message = db_int(r->last, 0);
        r->number = db_int(r->last, 1);
    }
    return db_finish(r->last) ? found : -1;
}

/* The next recipients, and the rest of the last one's message. */
static int pick(struct run *r)
{
    int found;

    if (!db_execute(r->clear) || !pick_with(r, r->pick))
        return -1;
    found = find_last(r);
    if (found > 0 && (!pick_with(r, r->pick_rest) || find_last(r) < 0))
        found = -1;
    return found;
}

/* Before it happens: afterwards the rows are others. */
static bool write_history(struct run *r)
{
    if (!r->change->history)
        return true;
    db_bind_int(r->history, 1, r->now);
    db_bind_str(r->history, 2, str_of(r->verb->event));
    db_bind_str(r->history, 3, str_of(r->change->who));
    db_bind_int(r->history, 4, r->verb->states);
    db_bind_int(r->history, 5, r->verb->ends);
    return db_execute(r->history);
}

static bool mark(struct run *r)
{
    if (r->mark == NULL)
        return true;
    if (r->change->verb == MANAGE_REROUTE)
        db_bind_int(r->mark, 2, r->change->route);
    if (!db_execute(r->mark))
        return false;
    r->result->marked += db_changes(r->queue->db);
    return true;
}

static bool act(struct run *r)
{
    db_bind_int(r->act, 1, r->now);
    db_bind_int(r->act, 2, r->change->route);
    if (!db_execute(r->act))
        return false;
    r->result->done += db_changes(r->queue->db);
    return true;
}

static bool forget(struct run *r)
{
    if (!r->verb->removes)
        return true;
    return (!r->change->history || db_execute(r->remember)) && db_execute(r->forget);
}

/* The list is read to its end first: reporting changes what it is read from. */
static bool report(struct run *r)
{
    int64_t *messages;
    size_t count = 0, room = (size_t)r->most;
    bool ok;

    if (r->change->report == NULL)
        return true;
    messages = memory_new(room * sizeof *messages);
    while (count < room && db_step(r->messages))
        messages[count++] = db_int(r->messages, 0);
    ok = db_finish(r->messages);
    for (size_t i = 0; ok && i < count; i++)
        ok = r->change->report(r->change->context, messages[i]);
    memory_free(&messages);
    return ok;
}

static bool change_picked(struct run *r)
{
    const struct manage_result before = *r->result;

    if (!queue_begin(r->queue))
        return false;
    r->now = clock_wall();
    if (!write_history(r) || !mark(r) || !act(r) || !report(r) || !forget(r))
        queue_rollback(r->queue);
    else if (queue_commit(r->queue))
        return true;
    *r->result = before;
    return false;
}

static void wake(struct run *r)
{
    struct wake w;

    wake_open(&w, r->queue->folder);
    wake_send(&w);
    wake_close(&w);
    r->woken = clock_now();
}

/* As many as fit the time, and at most twice as many as before. */
static void adapt(struct run *r, int64_t took)
{
    int64_t most = took > 0 ? (int64_t)r->most * STEP_MS / took : STEP_MOST;

    if (most > 2 * (int64_t)r->most)
        most = 2 * (int64_t)r->most;
    r->most = (int)(most < 1 ? 1 : most > STEP_MOST ? STEP_MOST : most);
}

/* The log is copied into the database between the steps: within one, those who wait for their turn would wait for that, too. */
static void checkpoint(struct run *r, int64_t recipients)
{
    r->in_log += recipients;
    if (r->in_log < LOG_RECIPIENTS)
        return;
    db_run(r->queue->db, "PRAGMA wal_checkpoint(PASSIVE)");
    r->in_log = 0;
}

/* 1 for more, 0 at the end, -1 when it failed. */
static int step(struct run *r)
{
    const int64_t before = r->result->done + r->result->marked;
    const int found = pick(r);
    const int64_t start = clock_now();
    int64_t changed;

    if (found <= 0)
        return found;
    if (!change_picked(r))
        return -1;
    adapt(r, clock_now() - start);
    changed = r->result->done + r->result->marked - before;
    checkpoint(r, changed);
    if (clock_now() - r->woken >= WAKE_MS)
        wake(r);
    if (r->change->progress != NULL)
        r->result->stopped = !r->change->progress(r->change->context, changed);
    return !r->result->stopped;
}

static bool find_newest(struct run *r)
{
    struct db_query *query = db_prepare(r->queue->db, "SELECT max(id) FROM message");

    if (query == NULL)
        return false;
    if (db_step(query))
        r->newest = db_int(query, 0);
    return db_finish(query);
}

bool manage_change(struct queue *q, const struct selection *s, const struct manage_change *change, struct manage_result *result)
{
    struct run r = {.queue = q, .selection = s, .change = change, .verb = &verbs[change->verb], .result = result, .most = STEP_FIRST};
    int more;

    *result = (struct manage_result){0};
    if (!prepare(&r) || !find_newest(&r))
        return false;
    r.woken = clock_now();
    db_checkpoint_after(q->db, 0);
    while ((more = step(&r)) > 0)
        ;
    if (result->done + result->marked > 0)
        wake(&r);
    return more == 0;
}

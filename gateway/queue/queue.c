#include "queue/queue.h"

#include "base/file.h"
#include "queue/schema.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

/* 2 MB of page cache hold the hot pages.  4000 pages of log are 16 MB: where upkeep.h does not come in time, a commit copies them, and the next
 * writer starts the log over. */
enum { CACHE_KB = 2048, CHECKPOINT_PAGES = 4000 };

#define WITHOUT_RECIPIENTS "WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM recipient WHERE message = ?1)"

static bool prepare(struct queue *q)
{
    q->begin = db_prepare(q->db, "BEGIN IMMEDIATE");
    q->commit = db_prepare(q->db, "COMMIT");
    q->rollback = db_prepare(q->db, "ROLLBACK");
    q->put_message = db_prepare(q->db, "INSERT INTO message (id, session, arrived, sender, sender_host, user, client, helo, via, kind, body, smtputf8, "
                                       "ret, envid, size, content) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
    q->put_recipient = db_prepare(q->db, "INSERT INTO recipient (message, number, address, domain, flow, taken, notify, orcpt, route, sender, list, state, wish, warn, "
                                         "due, attempts, crashes) VALUES (?, ?, ?, ?, ?, ?, ?, ?, nullif(?, 0), ?, ?, 1, 0, 0, ?, 0, 0)");
    q->put_refusal = db_prepare(q->db, "INSERT INTO history (at, message, recipient, event, code, enhanced, reason) VALUES (?, ?, ?, 'refused', ?, ?, ?)");
    q->remember = db_prepare(q->db, QUEUE_REMEMBER WITHOUT_RECIPIENTS);
    q->forget = db_prepare(q->db, "DELETE FROM message " WITHOUT_RECIPIENTS);
    return q->begin != NULL && q->commit != NULL && q->rollback != NULL && q->put_message != NULL && q->put_recipient != NULL &&
           q->put_refusal != NULL && q->remember != NULL && q->forget != NULL;
}

static int64_t schema_version(struct queue *q)
{
    struct db_query *query = db_prepare(q->db, "PRAGMA user_version");
    int64_t version = -1;

    if (query != NULL && db_step(query))
        version = db_int(query, 0);
    return query != NULL && db_finish(query) ? version : -1;
}

static bool set_version(struct queue *q, int64_t version)
{
    char sql[64];

    snprintf(sql, sizeof sql, "PRAGMA user_version=%lld", (long long)version);
    return db_run(q->db, sql);
}

static bool run_all(struct queue *q, const char *const *statements)
{
    while (*statements != NULL && db_run(q->db, *statements))
        statements++;
    return *statements == NULL;
}

static bool bring_up(struct queue *q, int64_t version)
{
    if (version == 0)
        return run_all(q, queue_schema_sql) && set_version(q, QUEUE_SCHEMA_VERSION);
    for (; version > 0 && version < QUEUE_SCHEMA_VERSION; version++)
        if (!run_all(q, queue_upgrades[version]) || !set_version(q, version + 1))
            return false;
    return version == QUEUE_SCHEMA_VERSION;
}

/* Makes the tables, or those of an older version into ours.  Two processes may come here at once: the second finds the tables of the first.
 * */
static bool make_tables(struct queue *q)
{
    if (db_run(q->db, "BEGIN IMMEDIATE") && bring_up(q, schema_version(q)))
        return db_run(q->db, "COMMIT");
    db_run(q->db, "ROLLBACK");
    return false;
}

/* The file is made before SQLite sees it, so that it never has other rights than these; then its name is made durable. */
static bool create_file(const char *path)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

    if (fd < 0)
        return false;
    close(fd);
    return file_sync_name(path);
}

/* The tables as this version knows them, made if need be.  False with the reason in ERROR. */
static bool open_tables(struct queue *q, const char *path, char *error, size_t error_size)
{
    int64_t version;

    q->db = db_open(path, DB_SHRINKABLE, CACHE_KB, error, error_size);
    if (q->db == NULL)
        return false;
    version = schema_version(q);
    if (version >= 0 && version < QUEUE_SCHEMA_VERSION)
        version = make_tables(q) ? schema_version(q) : -1;
    if (version > QUEUE_SCHEMA_VERSION)
        snprintf(error, error_size, "%s: made by a newer tmail (schema %d, this one knows %d)", path, (int)version, QUEUE_SCHEMA_VERSION);
    else if (version != QUEUE_SCHEMA_VERSION || !prepare(q))
        snprintf(error, error_size, "%s: %s", path, db_error(q->db));
    else
        return true;
    return false;
}

bool queue_open(struct queue *q, const char *folder, char *error, size_t error_size)
{
    char path[600];
    bool ok;

    *q = (struct queue){.turn = {-1}};
    snprintf(q->folder, sizeof q->folder, "%s", folder);
    snprintf(path, sizeof path, "%s/queue.db", q->folder);
    turn_open(&q->turn, q->folder);
    if (!create_file(path)) {
        snprintf(error, error_size, "%s: %s", path, strerrordesc_np(errno));
        queue_close(q);
        return false;
    }
    /* SQLite turns a database to WAL without waiting for another process that does the same. */
    turn_take(&q->turn);
    ok = open_tables(q, path, error, error_size);
    turn_end(&q->turn);
    if (!ok) {
        queue_close(q);
        return false;
    }
    db_checkpoint_after(q->db, CHECKPOINT_PAGES);
    db_run(q->db, "PRAGMA journal_size_limit=67108864"); /* what one large message made of the log does not stay */
    return true;
}

void queue_close(struct queue *q)
{
    db_close(&q->db);
    turn_close(&q->turn);
}

bool queue_begin(struct queue *q)
{
    turn_take(&q->turn);
    if (db_execute(q->begin))
        return true;
    turn_end(&q->turn);
    return false;
}

bool queue_commit(struct queue *q)
{
    if (db_execute(q->commit)) {
        turn_end(&q->turn);
        return true;
    }
    queue_rollback(q);
    return false;
}

void queue_rollback(struct queue *q)
{
    if (db_in_transaction(q->db)) /* SQLite has rolled back by itself when the disk was full */
        db_execute(q->rollback);
    turn_end(&q->turn);
}

static bool put_message(struct queue *q, const struct envelope *e, struct body *body)
{
    struct db_query *query = q->put_message;

    db_bind_int(query, 1, e->id);
    db_bind_str(query, 2, e->session);
    db_bind_int(query, 3, e->arrived);
    db_bind_str(query, 4, e->sender);
    db_bind_str(query, 5, e->sender_host);
    db_bind_optional(query, 6, e->user);
    db_bind_str(query, 7, e->client);
    db_bind_str(query, 8, e->helo);
    db_bind_optional(query, 9, e->via);
    db_bind_int(query, 10, e->kind);
    db_bind_int(query, 11, (int64_t)e->body + (e->auth ? MESSAGE_AUTH : 0) + (e->tls_optional ? MESSAGE_TLS_OPTIONAL : 0));
    db_bind_int(query, 12, e->smtputf8);
    db_bind_int(query, 13, e->ret);
    db_bind_optional(query, 14, e->envid);
    db_bind_int(query, 15, body->size);
    if (body->fd < 0)
        db_bind_blob(query, 16, body_in_memory(body));
    else
        db_bind_zeros(query, 16, body->size);
    return db_execute(query);
}

static bool put_recipients(struct queue *q, const struct envelope *e)
{
    struct db_query *query = q->put_recipient;
    int64_t flow = envelope_flow(e);

    for (const struct recipient *r = e->recipients; r != NULL; r = r->next) {
        db_bind_int(query, 1, e->id);
        db_bind_int(query, 2, r->number);
        db_bind_str(query, 3, r->address);
        db_bind_str(query, 4, r->domain);
        db_bind_int(query, 5, flow);
        db_bind_optional(query, 6, r->taken);
        db_bind_int(query, 7, (int64_t)r->notify);
        db_bind_optional(query, 8, r->orcpt);
        db_bind_int(query, 9, r->route);
        db_bind_optional(query, 10, r->sender);
        db_bind_optional(query, 11, r->list);
        db_bind_int(query, 12, e->arrived);
        if (!db_execute(query))
            return false;
    }
    return true;
}

static bool put_refusals(struct queue *q, const struct envelope *e)
{
    struct db_query *query = q->put_refusal;
    char enhanced[STATUS_ENHANCED_SIZE];

    for (const struct refusal *r = e->refusals; r != NULL; r = r->next) {
        status_enhanced(&r->status, enhanced);
        db_bind_int(query, 1, e->arrived);
        db_bind_int(query, 2, e->id);
        db_bind_str(query, 3, r->address);
        db_bind_int(query, 4, r->status.code);
        db_bind_optional(query, 5, str_trim(str_of(enhanced)));
        db_bind_str(query, 6, str_of(r->status.text));
        if (!db_execute(query))
            return false;
    }
    return true;
}

/* A large content goes in by pieces, so that it costs no heap. */
static bool put_pieces(struct queue *q, int64_t id, struct body *body)
{
    char scratch[BODY_PIECE];
    struct db_blob *blob = db_blob_open(q->db, "message", "content", id, true);
    int64_t offset = 0;
    bool ok = blob != NULL;

    while (ok && offset < body->size) {
        struct str piece = body_piece(body, offset, scratch);

        ok = piece.length > 0 && db_blob_write(blob, offset, piece);
        offset += (int64_t)piece.length;
    }
    if (blob != NULL && !db_blob_close(&blob))
        ok = false;
    return ok;
}

bool queue_put(struct queue *q, const struct envelope *e, struct body *body)
{
    return put_message(q, e, body) && put_recipients(q, e) && put_refusals(q, e) && (body->fd < 0 || put_pieces(q, e->id, body));
}

bool queue_forget(struct queue *q, int64_t id, bool history)
{
    db_bind_int(q->remember, 1, id);
    if (history && !db_execute(q->remember))
        return false;
    db_bind_int(q->forget, 1, id);
    return db_execute(q->forget);
}

static bool copy_content(struct db_blob *blob, struct body *body)
{
    char scratch[BODY_PIECE];
    int64_t size = db_blob_size(blob), offset = 0;

    while (offset < size) {
        size_t length = size - offset < BODY_PIECE ? (size_t)(size - offset) : BODY_PIECE;

        if (!db_blob_read(blob, offset, scratch, length))
            return false;
        body_append(body, (struct str){scratch, length});
        offset += (int64_t)length;
    }
    return true;
}

bool queue_read_content(struct queue *q, int64_t id, struct body *body, struct status *why)
{
    struct db_blob *blob = db_blob_open(q->db, "message", "content", id, false);
    bool ok = blob != NULL && copy_content(blob, body);

    if (!ok)
        *why = db_status(q->db);
    if (blob != NULL)
        db_blob_close(&blob);
    return ok && !body_failed(body, why);
}

bool queue_has_space(const char *folder, int64_t size, int64_t min_free)
{
    struct statvfs fs;

    if (statvfs(folder, &fs) != 0)
        return true;
    return (int64_t)(fs.f_bavail * fs.f_frsize) >= size + min_free;
}

const char *recipient_state_name(enum recipient_state state)
{
    static const char *const names[] = {"", "scheduled", "in-progress", "held", "failed", "done", "done", "done"};

    return state >= RECIPIENT_SCHEDULED && state <= RECIPIENT_DISCARDED ? names[state] : "unknown";
}

/*
 * Random walks over the queue: mail comes, is claimed, answered and recorded by two deliverers, reported by a reporter and changed by an
 * administrator, while hours pass and any of them dies with or without a transaction under way.  A model (plain arrays) knows what became
 * of each recipient; the database is compared with it after every step, and at the end all is run to completion.
 *
 * WALKS=N says how many, WALK_SEED=N which is the first.  A walk that fails is walked again without those steps that do not matter, and
 * what is left is printed.
 */
#include "test.h"

#include "deliverd/outcome.h"
#include "queue/manage.h"
#include "report/bounce.h"

#include "letter.h"
#include "place.h"

#include <stdarg.h>
#include <stdlib.h>

enum { STEPS = 90, DELIVERERS = 2, ENTRIES_MOST = 1000, MESSAGES_MOST = 500, FLIGHTS_MOST = 64, TAKEN_MOST = 4, SETTLED_MOST = 600 };
enum { MINUTE = 60 * 1000, HOUR = 60 * MINUTE, LIFETIME = 48 * HOUR, BOUNCES_LIFETIME = 12 * HOUR };
enum { RETRY_MIN = 10 * MINUTE, RETRY_MAX = 6 * HOUR };
enum { GONE = 0 };

/* A recipient, as it should be. */
struct entry {
    int64_t message;
    int number;
    char address[48];
    int message_at; /* in world.messages */
    unsigned notify;
    int state; /* GONE, or enum recipient_state */
    int wish, warn, attempts, crashes;
    int64_t owner, due, route;
    const char *fate;     /* of one that is over or gone: the last event of its history */
    int attempt_rows;     /* of the history */
    int told_failed, told_late, told_good;
    int64_t next_due;     /* as it was decided */
    int sent; /* 250s that the next hop gave */
    int lost; /* of them, those that their deliverer did not live to record */
};

struct message {
    int64_t id, arrived, size;
    uint64_t hash;
    enum message_kind kind;
    char sender[48];
};

static struct world {
    struct entry entries[ENTRIES_MOST];
    struct message messages[MESSAGES_MOST];
    int count, message_count;
} world, saved;

struct flight {
    struct claimed *claimed;
    struct delivery *taken[TAKEN_MOST];
    int64_t postponed;
    int count;
    bool answered;
};

static struct deliverer {
    struct queue queue;
    struct claims claims;
    struct owner owner;
    struct flight flights[FLIGHTS_MOST];
    int count;
} deliverers[DELIVERERS];

static struct reporter {
    struct queue queue;
    struct over over;
} bouncer, admin;

/* Looks at the database between the steps. */
static struct {
    struct queue queue;
    struct db_query *recipients, *messages, *envelope, *history, *past;
} eye;

/* What bounce_settle did in a transaction, to be compared with the model once that is durable. */
struct settlement {
    int64_t message, report;
    int told, removed;
};

static struct {
    struct settlement done[SETTLED_MOST];
    int count;
    bool fails; /* the next report of the administrator */
} settled;

static struct place place;
static struct conf conf, reporting;
static struct outcome_rules rules;
static int64_t wall;
static uint64_t dice, noise;
static char failure[2048];
static struct buf story;
static bool thorough; /* the walk is at its end: everything is brought to completion */

/* Numbers. */

static uint64_t next_number(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

static int roll(int sides)
{
    return (int)(next_number(&dice) % (uint64_t)sides);
}

/* What the program takes for chance is the walk's: one that failed can be walked again. */
ssize_t __wrap_getrandom(void *to, size_t size, unsigned flags);
ssize_t __wrap_getrandom(void *to, size_t size, unsigned flags)
{
    (void)flags;
    for (size_t i = 0; i < size; i++)
        ((unsigned char *)to)[i] = (unsigned char)next_number(&noise);
    return (ssize_t)size;
}

static int64_t read_wall(void)
{
    return wall;
}

/* What happens, and what is wrong with it. */

__attribute__((format(printf, 1, 2))) static void tell(const char *format, ...)
{
    char line[512];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    buf_print(&story, "#     %s\n", line);
}

__attribute__((format(printf, 1, 2))) static void fail(const char *format, ...)
{
    va_list arguments;

    if (failure[0] != '\0')
        return;
    va_start(arguments, format);
    vsnprintf(failure, sizeof failure, format, arguments);
    va_end(arguments);
}

static bool failed(void)
{
    return failure[0] != '\0';
}

static void must(bool holds, const char *what)
{
    if (!holds)
        fail("%s", what);
}

static void same(const struct entry *e, const char *what, int64_t is, int64_t should)
{
    if (is != should)
        fail("%s of %" PRIx64 ": %s is %" PRId64 " and should be %" PRId64, e->address, (uint64_t)e->message, what, is, should);
}

/* The model. */

static struct entry *find(int64_t message, int number)
{
    for (int i = 0; i < world.count; i++)
        if (world.entries[i].message == message && world.entries[i].number == number)
            return &world.entries[i];
    fail("the queue has a recipient %d of %" PRIx64 " that nobody put", number, (uint64_t)message);
    return NULL;
}

static const struct message *message_of(const struct entry *e)
{
    return &world.messages[e->message_at];
}

static const struct message *find_message(int64_t id)
{
    for (int i = 0; i < world.message_count; i++)
        if (world.messages[i].id == id)
            return &world.messages[i];
    return NULL;
}

static bool message_lives(int64_t id)
{
    for (int i = 0; i < world.count; i++)
        if (world.entries[i].message == id && world.entries[i].state != GONE)
            return true;
    return false;
}

static uint64_t hash_of(struct str s)
{
    uint64_t h = UINT64_C(14695981039346656037);

    for (size_t i = 0; i < s.length; i++)
        h = (h ^ (unsigned char)s.data[i]) * UINT64_C(1099511628211);
    return h;
}

static void add_message(int64_t id, enum message_kind kind, struct str sender, struct str content)
{
    struct message *m = &world.messages[world.message_count++];

    *m = (struct message){.id = id, .arrived = wall, .size = (int64_t)content.length, .hash = hash_of(content), .kind = kind};
    str_copy(sender, m->sender, sizeof m->sender);
}

/* Of the message that was added last. */
static void add_entry(int number, struct str address, unsigned notify)
{
    struct entry *e = &world.entries[world.count++];

    *e = (struct entry){.message = world.messages[world.message_count - 1].id, .number = number, .message_at = world.message_count - 1,
                        .notify = notify, .state = RECIPIENT_SCHEDULED, .due = wall};
    str_copy(address, e->address, sizeof e->address);
}

static bool has_room(void)
{
    return world.count < ENTRIES_MOST - 300 && world.message_count < MESSAGES_MOST - 200;
}

static void leave(struct entry *e, const char *fate)
{
    e->state = GONE;
    e->fate = fate;
}

/* Where an attempt ends that does not deliver: what an administrator wished for comes before STATE. */
static void end_attempt(struct entry *e, int state)
{
    static const int wished[] = {0, RECIPIENT_HELD, RECIPIENT_DISCARDED, RECIPIENT_FAILED};

    e->state = e->wish != WISH_NOTHING ? wished[e->wish] : state;
    if (e->wish != WISH_BOUNCE) /* which is reported whatever the key says */
        e->wish = WISH_NOTHING;
    e->owner = 0;
    if (e->state == RECIPIENT_FAILED || e->state == RECIPIENT_DISCARDED)
        e->fate = e->state == RECIPIENT_FAILED ? "failed" : "discarded";
}

/* The database is as the model. */

static void compare_row(struct db_query *q)
{
    struct entry *e = find(db_int(q, 0), (int)db_int(q, 1));

    if (e == NULL)
        return;
    if (e->state == GONE)
        fail("%s of %" PRIx64 " is %s, and is in the queue again", e->address, (uint64_t)e->message, e->fate);
    same(e, "state", db_int(q, 2), e->state);
    same(e, "wish", db_int(q, 3), e->wish);
    same(e, "warn", db_int(q, 4), e->warn);
    same(e, "attempts", db_int(q, 5), e->attempts);
    same(e, "crashes", db_int(q, 6), e->crashes);
    same(e, "owner", db_int(q, 7), e->owner);
    same(e, "route", db_int(q, 9), e->route);
    if (e->state == RECIPIENT_SCHEDULED)
        same(e, "due", db_int(q, 8), e->due);
    if (!str_equal(db_str(q, 10), str_of(e->address)))
        fail("the address of %s has changed", e->address);
}

static void compare_recipients(void)
{
    int rows = 0, live = 0;

    for (; db_step(eye.recipients); rows++)
        compare_row(eye.recipients);
    must(db_finish(eye.recipients), "recipients cannot be read");
    for (int i = 0; i < world.count; i++)
        live += world.entries[i].state != GONE;
    if (rows != live)
        fail("the queue has %d recipients and should have %d", rows, live);
}

static void compare_messages(void)
{
    int rows = 0, live = 0;

    for (; db_step(eye.messages); rows++)
        if (!message_lives(db_int(eye.messages, 0)))
            fail("message %" PRIx64 " is there without recipients", (uint64_t)db_int(eye.messages, 0));
    must(db_finish(eye.messages), "messages cannot be read");
    for (int i = 0; i < world.message_count; i++)
        live += message_lives(world.messages[i].id);
    if (rows != live)
        fail("the queue has %d messages and should have %d", rows, live);
}

static void compare_counts(void)
{
    for (int i = 0; i < world.count; i++) {
        const struct entry *e = &world.entries[i];

        if (e->told_failed > 1 || e->told_late > 1 || e->told_good > 1)
            fail("%s was reported failed %d times, late %d times and relayed %d times", e->address, e->told_failed, e->told_late,
                 e->told_good);
        if (e->told_failed > 0 && e->state != GONE)
            fail("%s was reported failed and is still there", e->address);
    }
}

static void compare(void)
{
    compare_recipients();
    compare_messages();
    compare_counts();
}

/* What the history has of a recipient. */
static void compare_history(const struct entry *e)
{
    struct db_query *q = eye.history;
    char last[16] = "";
    int attempts = 0;

    db_bind_int(q, 1, e->message);
    db_bind_str(q, 2, str_of(e->address));
    while (db_step(q)) {
        attempts += !db_is_null(q, 1);
        if (!db_is_null(q, 2))
            str_copy(db_str(q, 0), last, sizeof last);
    }
    must(db_finish(q), "history cannot be read");
    same(e, "number of attempts in the history", attempts, e->attempt_rows);
    if (strcmp(last, "bounced") == 0)
        str_copy(STR("failed"), last, sizeof last);
    if (e->fate == NULL || strcmp(last, e->fate) != 0)
        fail("%s of %" PRIx64 " is %s, and the history ends with \"%s\"", e->address, (uint64_t)e->message, e->fate, last);
}

static void compare_all_history(void)
{
    for (int i = 0; i < world.count; i++)
        compare_history(&world.entries[i]);
    if (!db_step(eye.past) || db_int(eye.past, 0) != world.message_count)
        fail("the history does not have every message that is gone");
    db_finish(eye.past);
}

/* Processes. */

static void open_queue(struct queue *q)
{
    char error[512];

    if (!queue_open(q, place.folder, error, sizeof error)) {
        printf("# %s\n", error);
        exit(1);
    }
    db_run(q->db, "PRAGMA synchronous=OFF"); /* those who die here leave the machine running */
}

static void open_deliverer(struct deliverer *d)
{
    char error[512];

    d->count = 0;
    open_queue(&d->queue);
    must(claims_init(&d->claims, &d->queue, true) && owner_open(&d->owner, place.folder, error, sizeof error), "a deliverer cannot start");
}

static void open_eye(void)
{
    open_queue(&eye.queue);
    eye.recipients = db_prepare(eye.queue.db, "SELECT message, number, state, wish, warn, attempts, crashes, ifnull(owner, 0), due, "
                                              "ifnull(route, 0), address FROM recipient");
    eye.messages = db_prepare(eye.queue.db, "SELECT id FROM message");
    eye.envelope = db_prepare(eye.queue.db, "SELECT m.kind, m.sender, r.address, r.notify, r.number FROM message m "
                                            "JOIN recipient r ON r.message = m.id WHERE m.id = ?");
    eye.history = db_prepare(eye.queue.db, "SELECT event, attempt, taken FROM history WHERE message = ? AND recipient = ? ORDER BY id");
    eye.past = db_prepare(eye.queue.db, "SELECT count(*) FROM past");
    must(db_prepared_all(eye.queue.db), "the queue cannot be looked at");
}

static void open_reporter(struct reporter *r, bool failures)
{
    open_queue(&r->queue);
    must(over_init(&r->over, &r->queue, true, failures), "a reporter cannot start");
}

static void drop_flight(struct deliverer *d, int at)
{
    claimed_free(&d->flights[at].claimed);
    d->flights[at] = d->flights[--d->count];
}

/* As the kernel ends it: what it had not committed never was. */
static void crash_deliverer(struct deliverer *d)
{
    for (; d->count > 0; drop_flight(d, 0))
        for (int i = 0; i < d->flights[0].count; i++)
            if (d->flights[0].taken[i]->outcome == OUTCOME_DELIVERED)
                find(d->flights[0].taken[i]->message, d->flights[0].taken[i]->recipient.number)->lost++;
    owner_close(&d->owner);
    queue_close(&d->queue);
    open_deliverer(d);
}

static bool is_alive(int64_t owner)
{
    return owner == deliverers[0].owner.number || owner == deliverers[1].owner.number;
}

static void begin(struct queue *q)
{
    saved = world;
    settled.count = 0;
    must(queue_begin(q), "no transaction begins");
}

enum end { COMMITTED, TAKEN_BACK, CRASHED };

/* The transaction is committed, taken back, or lost with its process, which the caller brings down. */
static enum end end(struct queue *q)
{
    int how = thorough ? 2 : roll(12);

    if (how > 1) {
        must(queue_commit(q), "a transaction cannot be committed");
        return COMMITTED;
    }
    world = saved;
    if (how == 0)
        queue_rollback(q);
    tell("… %s", how == 0 ? "is taken back" : "dies before the commit");
    return how == 0 ? TAKEN_BACK : CRASHED;
}

/* Reports. */

static bool is_over(const struct entry *e, bool failures)
{
    return e->state > RECIPIENT_FAILED || (e->state == RECIPIENT_FAILED && (failures || e->wish == WISH_BOUNCE)) ||
           (e->state != GONE && e->state < RECIPIENT_FAILED && e->warn == 1);
}

/* What a report says of it: 'f'ailed, 'd'elayed, 'r'elayed, or 0 for nothing (RFC 3461 section 4.1 and 5.2). */
static char word_for(const struct entry *e, const struct conf *c)
{
    const struct message *m = message_of(e);

    if ((!c->bounce_enabled && e->wish != WISH_BOUNCE) || e->state == RECIPIENT_DISCARDED)
        return 0;
    if (m->sender[0] == '\0')
        return e->state == RECIPIENT_FAILED && m->kind == MESSAGE_REPORT && c->bounce_postmaster[0] != '\0' ? 'f' : 0;
    if (e->state == RECIPIENT_FAILED)
        return e->notify == 0 || (e->notify & NOTIFY_FAILURE) != 0 ? 'f' : 0;
    if (e->state == RECIPIENT_RELAYED)
        return (e->notify & NOTIFY_SUCCESS) != 0 ? 'r' : 0;
    return (e->notify & NOTIFY_DELAY) != 0 || (e->notify == 0 && c->bounce_delay == BOUNCE_DELAY_ALL) ? 'd' : 0;
}

/* The value of the first field NAME in TEXT. */
static struct str field_of(const char *text, const char *name)
{
    const char *at = strstr(text, name);

    if (at == NULL)
        return (struct str){0};
    at += strlen(name);
    return (struct str){at, strcspn(at, "\r\n")};
}

static struct entry *find_address(int64_t message, struct str address)
{
    for (int i = 0; i < world.count; i++)
        if (world.entries[i].message == message && str_equal(str_of(world.entries[i].address), address))
            return &world.entries[i];
    fail("a report on %" PRIx64 " tells of %.*s", (uint64_t)message, STR_ARG(address));
    return NULL;
}

/* A group of a report: what it says of one recipient. */
static void read_group(int64_t message, const char *text, const struct conf *c)
{
    static const struct {
        char word;
        const char *classes, *action;
    } actions[] = {{'f', "45", "failed"}, {'d', "4", "delayed"}, {'r', "2", "relayed"}};
    struct entry *e = find_address(message, field_of(text, "Final-Recipient: rfc822; "));
    struct str action = field_of(text, "Action: "), status = field_of(text, "Status: ");

    for (size_t i = 0; e != NULL && i < TEST_COUNT(actions); i++) {
        if (!str_equal(action, str_of(actions[i].action)))
            continue;
        if (word_for(e, c) != actions[i].word)
            fail("a report says that %s is %s, though it is in state %d", e->address, actions[i].action, e->state);
        if (status.length == 0 || strchr(actions[i].classes, status.data[0]) == NULL ||
            (actions[i].word == 'f' && str_equal(status, STR("4.0.0"))))
            fail("a report says that %s is %s with status %.*s", e->address, actions[i].action, STR_ARG(status));
        e->told_failed += actions[i].word == 'f';
        e->told_late += actions[i].word == 'd';
        e->told_good += actions[i].word == 'r';
        return;
    }
    fail("a report has the action %.*s", STR_ARG(action));
}

/* What it says stands between its second header and the original. */
static int read_groups(int64_t message, const char *text, const struct conf *c)
{
    const char *at = strstr(text, "Content-Type: message/delivery-status");
    const char *original = at != NULL ? strstr(at + 1, "Content-Type: ") : NULL;
    int groups = 0;

    must(original != NULL, "a report is none");
    while (at != NULL && (at = strstr(at, "Final-Recipient: ")) != NULL && at < original) {
        read_group(message, at++, c);
        groups++;
    }
    return groups;
}

static void check_envelope(int64_t report, enum message_kind kind, const char *to)
{
    struct db_query *q = eye.envelope;

    db_bind_int(q, 1, report);
    if (!db_step(q) || db_int(q, 0) != kind || db_length(q, 1) != 0 || !str_equal(db_str(q, 2), str_of(to)) ||
        db_int(q, 3) != NOTIFY_NEVER || db_int(q, 4) != 1 || db_step(q))
        fail("the envelope of the report %" PRIx64 " to <%s> is not as it should be", (uint64_t)report, to);
    db_finish(q);
}

/* Reads a report that was queued, and takes it into the model. */
static int adopt_report(const struct message *about, int64_t report, const struct conf *c)
{
    enum message_kind kind = about->sender[0] != '\0' ? MESSAGE_REPORT : MESSAGE_LAST_REPORT;
    const char *to = about->sender[0] != '\0' ? about->sender : c->bounce_postmaster;
    struct status why;
    struct body body;
    struct buf text = {0};
    int groups;

    body_init(&body, place.folder);
    must(queue_read_content(&admin.queue, report, &body, &why), "a report is not in the queue");
    check_envelope(report, kind, to);
    buf_add(&text, body_in_memory(&body));
    groups = read_groups(about->id, buf_text(&text), c);
    add_message(report, kind, STR(""), body_in_memory(&body));
    add_entry(1, str_of(to), NOTIFY_NEVER);
    buf_done(&text);
    body_done(&body);
    return groups;
}

/* After the commit: what was settled of MESSAGE goes, and who was to be told was. */
static void apply_settled(const struct settlement *s, const struct conf *c, bool failures)
{
    const int64_t message = s->message, report = s->report;
    const struct message *m = find_message(message);
    int words = 0, gone = 0;

    if (m == NULL) {
        fail("a message was settled that nobody put");
        return;
    }
    for (int i = 0; i < world.count; i++)
        if (world.entries[i].message == message && is_over(&world.entries[i], failures))
            words += word_for(&world.entries[i], c) != 0;
    tell("… %" PRIx64 ": %d are told of by %" PRIx64, (uint64_t)message, s->told, (uint64_t)report);
    if (s->told != words || (report != 0) != (words > 0))
        fail("of %" PRIx64 " the senders should hear of %d recipients, and did of %d", (uint64_t)message, words, s->told);
    if (report != 0 && adopt_report(m, report, c) != words)
        fail("the report on %" PRIx64 " does not tell of %d recipients", (uint64_t)message, words);
    for (int i = 0; i < world.count; i++) {
        struct entry *e = &world.entries[i];

        if (e->message != message || !is_over(e, failures))
            continue;
        if (e->state < RECIPIENT_FAILED) {
            e->warn = 2;
            continue;
        }
        leave(e, e->state == RECIPIENT_FAILED ? "failed" : e->state == RECIPIENT_DISCARDED ? "discarded" : "delivered");
        gone++;
    }
    if (s->removed != gone)
        fail("of %" PRIx64 " %d recipients should go, and %d did", (uint64_t)message, gone, s->removed);
}

static void apply_all_settled(const struct conf *c, bool failures)
{
    for (int i = 0; i < settled.count; i++)
        apply_settled(&settled.done[i], c, failures);
    settled.count = 0;
}

static bool settle(struct over *o, const struct conf *c, int64_t message)
{
    struct bounce_result result;
    bool ok = bounce_settle(o, &(struct bounce_means){c, NULL}, message, &result);

    if (!ok || result.held != NULL || settled.count == SETTLED_MOST)
        fail("%" PRIx64 " cannot be settled", (uint64_t)message);
    else
        settled.done[settled.count++] = (struct settlement){message, result.report, result.told, result.removed};
    bounce_done(&result);
    return ok;
}

/* Steps. */

static void accept_mail(void)
{
    static const char *const domains[] = {"a.example", "b.example", "c.example"};
    static const char *const senders[] = {"alice@home.example", "bob@home.example", "", "carol@far.example"};
    static const unsigned all = NOTIFY_SUCCESS | NOTIFY_FAILURE | NOTIFY_DELAY;
    const unsigned notifies[] = {0, 0, 0, NOTIFY_NEVER, NOTIFY_FAILURE, NOTIFY_SUCCESS, NOTIFY_DELAY, all};
    struct deliverer *d = &deliverers[roll(DELIVERERS)]; /* any connection will do */
    const char *sender = senders[roll(4)];
    struct letter l;

    if (!has_room())
        return;
    letter_open(&l, place.folder, NULL, 0);
    l.envelope.sender = str_of(sender);
    l.envelope.ret = roll(2) ? RET_FULL : RET_HDRS;
    body_append(&l.body, STR("Subject: walk\r\n\r\n"));
    for (int i = roll(30); i > 0; i--) {
        char line[64];

        snprintf(line, sizeof line, "line %d of many\r\n", roll(100000));
        body_append(&l.body, str_of(line));
    }
    for (int i = 0, count = 1 + roll(TAKEN_MOST); i < count; i++) {
        char address[48];

        snprintf(address, sizeof address, "r%d@%s", i, domains[roll(3)]);
        letter_recipient(&l, address);
        l.envelope.last->notify = notifies[roll(TEST_COUNT(notifies))];
        l.envelope.last->taken = STR("walk");
    }
    tell("mail %" PRIx64 " from <%s> to %d", (uint64_t)l.envelope.id, sender, l.envelope.recipient_count);
    begin(&d->queue);
    add_message(l.envelope.id, MESSAGE_MAIL, l.envelope.sender, body_in_memory(&l.body));
    for (const struct recipient *r = l.envelope.recipients; r != NULL; r = r->next)
        add_entry(r->number, r->address, r->notify);
    must(queue_put(&d->queue, &l.envelope, &l.body), "mail cannot be put");
    if (end(&d->queue) == CRASHED)
        crash_deliverer(d);
    letter_close(&l);
}

/* By destination: of all (FLOW is -1), or of one flow. */
static int find_by_domain(struct claims *c, int64_t flow, struct due *to, int most)
{
    char domain[DOMAIN_SIZE] = "", last[DOMAIN_SIZE];
    int64_t due;
    int count = 0, found;

    for (;;) {
        memcpy(last, domain, sizeof last);
        found = flow < 0 ? claims_next_domain(c, str_of(last), domain, &due) : claims_next_of_flow(c, flow, str_of(last), domain, &due);
        if (found <= 0)
            break;
        found = claims_due(c, domain, flow, wall, to + count, most - count);
        must(found >= 0 && (found > 0) == (due <= wall), "what is due for a destination cannot be found");
        count += found > 0 ? found : 0;
    }
    must(found == 0, "destinations cannot be found");
    return count;
}

static int find_by_flow(struct claims *c, struct due *to, int most)
{
    int64_t flow = -1;
    int count = 0, found;

    while ((found = claims_next_flow(c, flow, &flow)) > 0)
        count += find_by_domain(c, flow, to + count, most - count);
    must(found == 0, "senders cannot be found");
    return count;
}

/* All that is due: every recipient must be found each way. */
static int find_due(struct claims *c, struct due *to, int most)
{
    switch (roll(3)) {
    case 0:
        return find_by_domain(c, -1, to, most);
    case 1:
        return find_by_flow(c, to, most);
    default:
        return claims_due_first(c, wall, to, most);
    }
}

static void check_next_due(struct claims *c)
{
    int64_t next = INT64_MAX, due = INT64_MAX;

    for (int i = 0; i < world.count; i++)
        if (world.entries[i].state == RECIPIENT_SCHEDULED && world.entries[i].due > wall)
            next = clock_earlier(next, world.entries[i].due);
    must(claims_next_due(c, wall, &due) >= 0 && due == next, "the time of the next attempt is not found");
}

static void check_due(int found)
{
    int due = 0;

    for (int i = 0; i < world.count; i++)
        due += world.entries[i].state == RECIPIENT_SCHEDULED && world.entries[i].due <= wall;
    if (found != due)
        fail("%d recipients are due, and %d are found", due, found);
}

static void check_loaded(const struct claimed *m, const struct delivery *d, const struct entry *e)
{
    const struct message *original = find_message(m->envelope.id);

    same(e, "loaded state", RECIPIENT_SCHEDULED, e->state);
    must(e->due <= wall, "a recipient is loaded before it is due");
    same(e, "number of the attempt", d->attempts, e->attempts + 1);
    same(e, "what the sender was told", d->warned, e->warn != 0);
    same(e, "arrival", m->envelope.arrived, original->arrived);
    must(str_equal(m->envelope.sender, str_of(original->sender)), "the sender has changed");
}

static void take(struct deliverer *d, struct claimed *m, struct flight *f)
{
    for (struct delivery *r = m->deliveries; r != NULL; r = r->next) {
        const struct status why = status_make(451, "4.4.1", "the next hop is down");
        struct entry *e = find(r->message, r->recipient.number);
        int what = thorough ? 0 : roll(10);

        if (e == NULL)
            return;
        check_loaded(m, r, e);
        if (what < 7 && f->count < TAKEN_MOST) {
            must(claims_mark(&d->claims, r, d->owner.number), "an attempt cannot be marked");
            f->taken[f->count++] = r;
            e->state = RECIPIENT_IN_PROGRESS;
            e->owner = d->owner.number;
            e->attempts++;
        } else if (what == 7) {
            e->due = wall + MINUTE * roll(100);
            must(claims_postpone(&d->claims, r, e->due, &why), "a recipient cannot be put off");
        }
    }
}

static void claim_message(struct deliverer *d, int64_t message)
{
    struct flight *f = &d->flights[d->count];
    struct claimed *m;
    int found = claims_load(&d->claims, message, wall, &m);

    must(found >= 0, "a message cannot be loaded");
    if (found <= 0)
        return;
    must(claims_load_content(&d->claims, m), "a content cannot be loaded");
    if (hash_of(m->content) != find_message(message)->hash)
        fail("the content of %" PRIx64 " has changed", (uint64_t)message);
    *f = (struct flight){.claimed = m};
    take(d, m, f);
    tell("… claims %d of %" PRIx64, f->count, (uint64_t)message);
    if (f->count > 0)
        d->count++;
    else
        claimed_free(&f->claimed);
}

/* Its claims of this turn never were. */
static void drop_since(struct deliverer *d, int count)
{
    while (d->count > count)
        drop_flight(d, d->count - 1);
}

static void claim(void)
{
    struct deliverer *d = &deliverers[roll(DELIVERERS)];
    static struct due due[ENTRIES_MOST];
    int before = d->count, found;

    tell("a deliverer takes a turn");
    begin(&d->queue);
    found = find_due(&d->claims, due, ENTRIES_MOST);
    check_due(found);
    check_next_due(&d->claims);
    for (int i = 0; i < found && d->count < FLIGHTS_MOST; i++)
        if (thorough || roll(3))
            claim_message(d, due[i].message);
    switch (end(&d->queue)) {
    case COMMITTED:
        break;
    case TAKEN_BACK:
        drop_since(d, before);
        break;
    case CRASHED:
        drop_since(d, before);
        crash_deliverer(d);
    }
}

static bool warning_is_due(const struct entry *e)
{
    const struct message *m = message_of(e);

    if (!conf.bounce_enabled || m->sender[0] == '\0' || e->warn != 0 || wall - m->arrived < conf.bounce_delay_after)
        return false;
    return (conf.bounce_delay != BOUNCE_DELAY_NONE && (e->notify & NOTIFY_DELAY) != 0) ||
           (conf.bounce_delay == BOUNCE_DELAY_ALL && e->notify == 0);
}

static void check_decision(const struct entry *e, const struct delivery *d, int code)
{
    const struct message *m = message_of(e);
    int64_t lifetime = m->sender[0] != '\0' ? LIFETIME : BOUNCES_LIFETIME;
    bool old = wall - m->arrived >= lifetime;

    same(e, "outcome", d->outcome, code < 300 ? OUTCOME_DELIVERED : code < 500 && !old ? OUTCOME_LATER : OUTCOME_FAILED);
    if (d->outcome != OUTCOME_LATER)
        return;
    same(e, "warning", d->warn, warning_is_due(e));
    must(d->next_due >= wall && d->next_due <= m->arrived + lifetime && d->next_due <= wall + RETRY_MAX + RETRY_MAX / 10,
         "the next attempt is at no good time");
}

static void answer_one(struct flight *f, struct delivery *d)
{
    static const int codes[] = {250, 250, 450, 451, 421, 450, 550, 554};
    struct entry *e = find(d->message, d->recipient.number);
    int code = codes[roll(TEST_COUNT(codes))];

    if (e == NULL)
        return;
    if (f->postponed > 0 && !outcome_wants_word(&conf, &f->claimed->envelope, d))
        return;
    d->status = status_make(code, code < 300 ? "2.0.0" : code < 500 ? "4.2.1" : "5.1.1", "as the next hop says");
    d->status.from_peer = true;
    d->greylisted = code == 450;
    d->relayed = code < 300 && (e->notify & NOTIFY_SUCCESS) != 0 && roll(2);
    outcome_decide(&rules, &f->claimed->envelope, d);
    check_decision(e, d, code);
    e->next_due = d->next_due;
    tell("… %s of %" PRIx64 ": %d", e->address, (uint64_t)e->message, code);
    if (code >= 300)
        return;
    if (e->told_failed > 0)
        fail("%s was reported failed, and is delivered now", e->address);
    if (e->state != RECIPIENT_IN_PROGRESS || e->sent > e->lost)
        fail("%s is delivered %d times, and %d deaths do not account for it", e->address, e->sent + 1, e->lost);
    e->sent++;
}

static void answer(void)
{
    struct deliverer *d = &deliverers[roll(DELIVERERS)];

    tell("next hops answer");
    for (int i = 0; i < d->count; i++) {
        struct flight *f = &d->flights[i];

        if (f->answered || (!thorough && roll(2)))
            continue;
        f->answered = true;
        f->postponed = !thorough && roll(6) == 0 ? wall + MINUTE * roll(60) : 0;
        for (int n = 0; n < f->count; n++)
            answer_one(f, f->taken[n]);
    }
}

static void model_outcome(const struct flight *f, const struct delivery *d, struct entry *e)
{
    switch (d->outcome) {
    case OUTCOME_OPEN:
        end_attempt(e, RECIPIENT_SCHEDULED);
        e->attempts--;
        if (e->state == RECIPIENT_SCHEDULED)
            e->due = f->postponed;
        return;
    case OUTCOME_DELIVERED:
        e->attempt_rows++;
        leave(e, "delivered");
        e->wish = WISH_NOTHING;
        e->owner = 0;
        if (d->relayed && conf.bounce_enabled)
            e->state = RECIPIENT_RELAYED;
        return;
    case OUTCOME_LATER:
        e->attempt_rows++;
        end_attempt(e, RECIPIENT_SCHEDULED);
        e->crashes = 0;
        e->due = e->next_due;
        if (d->warn && e->warn == 0)
            e->warn = 1;
        return;
    case OUTCOME_FAILED:
        e->attempt_rows++;
        end_attempt(e, RECIPIENT_FAILED);
    }
}

static void record_flight(struct deliverer *d, const struct flight *f)
{
    for (int n = 0; n < f->count; n++) {
        struct delivery *r = f->taken[n];
        struct entry *e = find(r->message, r->recipient.number);
        bool ok;

        if (r->outcome != OUTCOME_OPEN)
            outcome_decide(&rules, &f->claimed->envelope, r); /* as the scheduler does when it tries again; it changes nothing */
        ok = outcome_record(&d->claims, r);

        if (ok && r->outcome == OUTCOME_OPEN)
            ok = claims_postpone(&d->claims, r, f->postponed, &r->status);
        must(ok, "an outcome cannot be recorded");
        if (e != NULL)
            model_outcome(f, r, e);
    }
}

static void record(void)
{
    struct deliverer *d = &deliverers[roll(DELIVERERS)];
    bool done[FLIGHTS_MOST] = {false};

    tell("a deliverer records");
    begin(&d->queue);
    for (int i = 0; i < d->count; i++)
        if (d->flights[i].answered && (thorough || roll(4))) {
            record_flight(d, &d->flights[i]);
            done[i] = true;
        }
    switch (end(&d->queue)) {
    case COMMITTED:
        for (int i = d->count - 1; i >= 0; i--)
            if (done[i])
                drop_flight(d, i);
        break;
    case TAKEN_BACK: /* it keeps what it knows, and tries again */
        break;
    case CRASHED:
        crash_deliverer(d);
    }
}

static void report(void)
{
    int64_t message = 0;
    int found = 0;

    tell("the reporter looks");
    begin(&bouncer.queue);
    while ((found = over_next(&bouncer.over, message, wall, &message)) == 1 && settled.count < SETTLED_MOST / 2 && !failed())
        settle(&bouncer.over, &conf, message);
    must(found >= 0, "what is over cannot be found");
    switch (end(&bouncer.queue)) {
    case COMMITTED:
        apply_all_settled(&conf, conf.bounce_enabled);
        break;
    case TAKEN_BACK:
        break;
    case CRASHED:
        queue_close(&bouncer.queue);
        open_reporter(&bouncer, conf.bounce_enabled);
    }
}

/* The model of manage_change: a table would be the one that is tested. */
static void model_change(struct entry *e, enum manage_verb verb, int64_t route)
{
    bool scheduled = e->state == RECIPIENT_SCHEDULED, flying = e->state == RECIPIENT_IN_PROGRESS;
    bool waiting = scheduled || e->state == RECIPIENT_HELD || e->state == RECIPIENT_FAILED;

    if (verb == MANAGE_FLUSH && scheduled) {
        e->due = wall;
    } else if (verb == MANAGE_HOLD && flying) {
        e->wish = WISH_HOLD;
    } else if (verb == MANAGE_HOLD && scheduled) {
        e->state = RECIPIENT_HELD;
    } else if (verb == MANAGE_RELEASE && flying) {
        e->wish = WISH_NOTHING;
    } else if (verb == MANAGE_RELEASE && waiting && !scheduled) {
        e->state = RECIPIENT_SCHEDULED;
        e->due = wall;
        e->crashes = 0;
        e->wish = WISH_NOTHING;
    } else if (verb == MANAGE_DISCARD && flying) {
        e->wish = WISH_DISCARD;
    } else if ((verb == MANAGE_DISCARD && waiting) || (verb == MANAGE_PURGE && e->state == RECIPIENT_FAILED)) {
        leave(e, "discarded");
    } else if (verb == MANAGE_BOUNCE && flying) {
        e->wish = WISH_BOUNCE;
    } else if (verb == MANAGE_BOUNCE && waiting) {
        e->state = RECIPIENT_FAILED;
    } else if (verb == MANAGE_REROUTE && (waiting || flying)) {
        e->route = route;
        e->due = scheduled ? wall : e->due;
    }
}

static bool make_report(void *context, int64_t message)
{
    (void)context;
    return settle(&admin.over, &reporting, message) && !settled.fails;
}

static void change_queue(enum manage_verb verb, int64_t message)
{
    struct manage_change change = {.verb = verb, .history = true, .who = "by me"};
    struct manage_result result;
    struct selection s;
    bool ok;

    if (verb == MANAGE_BOUNCE)
        change.report = make_report;
    if (verb == MANAGE_REROUTE)
        change.route = roll(3);
    selection_init(&s);
    if (message != 0)
        selection_set_message(&s, message);
    settled.count = 0;
    settled.fails = !thorough && roll(8) == 0;
    ok = manage_change(&admin.queue, &s, &change, &result);
    selection_done(&s);
    if (ok == (settled.fails && settled.count > 0))
        fail("the administrator's change %s: %s", ok ? "succeeded without its report" : "failed", db_error(admin.queue.db));
    if (!ok) {
        settled.count = 0;
        return;
    }
    for (int i = 0; i < world.count; i++)
        if (message == 0 || world.entries[i].message == message)
            model_change(&world.entries[i], verb, change.route);
    apply_all_settled(&reporting, true);
}

static void manage(void)
{
    static const char *const names[MANAGE_VERBS] = {"flush", "hold", "release", "discard", "bounce", "reroute", "purge"};
    enum manage_verb verb = (enum manage_verb)roll(MANAGE_VERBS);
    int64_t message = 0;

    if (world.message_count == 0)
        return;
    if (roll(10) > 0) /* of the last few: the others are mostly gone */
        message = world.messages[world.message_count - 1 - roll(world.message_count < 12 ? world.message_count : 12)].id;
    tell("the administrator: %s %" PRIx64, names[verb], (uint64_t)message);
    change_queue(verb, message);
}

static void crash(void)
{
    tell("a deliverer dies");
    crash_deliverer(&deliverers[roll(DELIVERERS)]);
}

static void model_recovery(struct entry *e)
{
    e->attempt_rows++;
    e->crashes++;
    e->due = e->crashes == 1 ? wall : wall + RETRY_MIN;
    end_attempt(e, e->crashes >= CLAIM_CRASHES_MAX ? RECIPIENT_HELD : RECIPIENT_SCHEDULED);
}

static void recover(void)
{
    struct deliverer *d = &deliverers[roll(DELIVERERS)];
    int64_t recovered, dead = 0;

    tell("a deliverer looks for what dead ones left");
    begin(&d->queue);
    must(claims_recover(&d->claims, &d->owner, wall, RETRY_MIN, &recovered), "recovery failed");
    for (int i = 0; i < world.count; i++)
        if (world.entries[i].state == RECIPIENT_IN_PROGRESS && !is_alive(world.entries[i].owner)) {
            model_recovery(&world.entries[i]);
            dead++;
        }
    if (recovered != dead)
        fail("%" PRId64 " recipients were with dead deliverers, and %" PRId64 " were recovered", dead, recovered);
    if (end(&d->queue) == CRASHED)
        crash_deliverer(d);
}

/* A deliverer that stops in order gives back what it has; those who answered too late are not heard. */
static void drain(void)
{
    struct deliverer *d = &deliverers[roll(DELIVERERS)];

    tell("a deliverer stops");
    begin(&d->queue);
    must(claims_give_back_all(&d->claims, d->owner.number), "a deliverer cannot stop");
    for (int i = 0; i < world.count; i++)
        if (world.entries[i].state == RECIPIENT_IN_PROGRESS && world.entries[i].owner == d->owner.number)
            end_attempt(&world.entries[i], RECIPIENT_SCHEDULED);
    if (end(&d->queue) != TAKEN_BACK)
        crash_deliverer(d);
}

static void pass_time(void)
{
    static const int64_t spans[] = {1, 1000, 20 * 1000, MINUTE, 10 * MINUTE, HOUR, 5 * HOUR, 13 * HOUR};
    int64_t span = spans[roll(TEST_COUNT(spans))];

    tell("%" PRId64 " s pass", span / 1000);
    wall += span;
}

static void (*const steps[])(void) = {accept_mail, accept_mail, accept_mail, claim, claim, claim, claim, answer, answer, answer, record,
                                      record, record, report, report, manage, manage, manage, crash, recover, drain, pass_time, pass_time};

/* A walk. */

static void open_all(uint64_t seed)
{
    static const enum conf_bounce_delay delays[] = {BOUNCE_DELAY_NONE, BOUNCE_DELAY_ASKED, BOUNCE_DELAY_ALL};

    dice = seed;
    noise = ~seed;
    world.count = world.message_count = 0;
    failure[0] = '\0';
    story.length = 0;
    thorough = false;
    wall = INT64_C(1800000000000);
    place_open(&place);
    conf = (struct conf){.me = "gate.example",
                         .tempdir = place.folder,
                         .bounce_template = "",
                         .bounce_size = 50 << 10,
                         .bounce_delay_after = 4 * HOUR,
                         .deliverd_queue_lifetime = LIFETIME,
                         .deliverd_queue_bounces_lifetime = BOUNCES_LIFETIME,
                         .deliverd_retry_min = RETRY_MIN,
                         .deliverd_retry_max = RETRY_MAX,
                         .deliverd_retry_times = "1m;5m",
                         .deliverd_retry_greylist = "1m;2m"};
    conf.bounce_enabled = roll(5) > 0;
    conf.bounce_delay = delays[roll(3)];
    conf.bounce_postmaster = roll(2) ? "postmaster@home.example" : "";
    reporting = conf;
    reporting.bounce_enabled = true;
    rules = outcome_rules_of(&conf);
    for (int i = 0; i < DELIVERERS; i++)
        open_deliverer(&deliverers[i]);
    open_reporter(&bouncer, conf.bounce_enabled);
    open_reporter(&admin, true);
    open_eye();
}

static void close_all(void)
{
    for (int i = 0; i < DELIVERERS; i++) {
        while (deliverers[i].count > 0)
            drop_flight(&deliverers[i], 0);
        owner_close(&deliverers[i].owner);
        queue_close(&deliverers[i].queue);
    }
    queue_close(&bouncer.queue);
    queue_close(&admin.queue);
    queue_close(&eye.queue);
    place_close(&place);
}

static bool any_lives(void)
{
    for (int i = 0; i < world.count; i++)
        if (world.entries[i].state != GONE)
            return true;
    return false;
}

static void do_step(void (*step)(void))
{
    if (failed())
        return;
    step();
    if (!failed())
        compare();
}

static void release_all(void)
{
    tell("the administrator: release all");
    change_queue(MANAGE_RELEASE, 0);
}

static void bounce_some(void)
{
    if (conf.bounce_enabled)
        return;
    tell("the administrator: bounce what has failed");
    for (int i = 0; i < world.message_count; i++)
        for (int n = 0; n < world.count; n++)
            if (world.entries[n].message == world.messages[i].id && world.entries[n].state == RECIPIENT_FAILED) {
                change_queue(MANAGE_BOUNCE, world.messages[i].id);
                break;
            }
}

/* Everything ends: it is delivered, or its time is over. */
static void complete(void)
{
    tell("to completion");
    thorough = true;
    dice = 1;
    do_step(recover);
    do_step(release_all);
    for (int round = 0; round < 100 && any_lives() && !failed(); round++) {
        for (int i = 0; i < 2 * DELIVERERS; i++) {
            do_step(claim);
            do_step(answer);
            do_step(record);
        }
        do_step(report);
        do_step(bounce_some);
        if (round % 5 == 4)
            do_step(release_all);
        wall += 3 * HOUR;
    }
    if (!failed() && any_lives())
        fail("something stays in the queue for ever");
    if (!failed())
        compare_all_history();
}

/* Without those steps that SKIPPED says. */
static bool walk(uint64_t seed, const bool *skipped)
{
    open_all(seed);
    for (int i = 0; i < STEPS && !failed(); i++) {
        dice = seed * STEPS * 2 + (uint64_t)i;
        if (skipped[i])
            continue;
        do_step(steps[roll(TEST_COUNT(steps))]);
    }
    if (!failed())
        complete();
    close_all();
    return !failed();
}

/* Walks again, each time without a step more, if it fails all the same. */
static void shrink(uint64_t seed)
{
    bool skipped[STEPS] = {false};

    for (int length = STEPS / 2; length > 0; length /= 2)
        for (int at = 0; at + length <= STEPS; at += length) {
            bool before[STEPS];

            memcpy(before, skipped, sizeof before);
            memset(skipped + at, true, (size_t)length);
            if (walk(seed, skipped))
                memcpy(skipped, before, sizeof skipped);
        }
    walk(seed, skipped);
    printf("# walk %" PRIu64 ": %s\n%s", seed, failure, buf_text(&story));
}

static uint64_t setting(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);

    return text != NULL ? strtoull(text, NULL, 10) : otherwise;
}

static void nobody_is_lost_or_told_twice(void)
{
    static const struct clock_source clock = {read_wall, read_wall};
    static const bool all[STEPS] = {false};
    const uint64_t first = setting("WALK_SEED", 1), count = setting("WALKS", 100);

    printf("# %" PRIu64 " walks, the first is WALK_SEED=%" PRIu64 "\n", count, first);
    clock_use(&clock);
    for (uint64_t seed = first; seed < first + count; seed++)
        if (!walk(seed, all)) {
            printf("# walk %" PRIu64 ": %s\n", seed, failure);
            shrink(seed);
            check_text(failure, "");
            break;
        }
    clock_use(NULL);
    buf_done(&story);
}

static const struct test_case cases[] = {TEST_CASE(nobody_is_lost_or_told_twice)};

int main(int argc, char **argv)
{
    return test_main(cases, TEST_COUNT(cases), argc, argv);
}

#include "test.h"

#include "queue/over.h"

#include "letter.h"
#include "place.h"

static struct place place;
static struct queue q;
static struct over o;
static char error[512];

static void setup_with(bool history, bool failures)
{
    place_open(&place);
    if (!check(queue_open(&q, place.folder, error, sizeof error)))
        printf("# %s\n", error);
    check(over_init(&o, &q, history, failures));
}

static void setup(void)
{
    setup_with(true, true);
}

static void teardown(void)
{
    queue_close(&q);
    place_close(&place);
}

/* A message of SIZE octets to r1@a.example, r2@a.example and so on. */
static int64_t put(int count, int64_t size)
{
    struct letter l;
    int64_t id;

    letter_open(&l, place.folder, NULL, size);
    for (int i = 1; i <= count; i++) {
        char address[32];

        snprintf(address, sizeof address, "r%d@a.example", i);
        letter_recipient(&l, address);
    }
    check(letter_put(&q, &l));
    id = l.envelope.id;
    letter_close(&l);
    return id;
}

/* Runs "UPDATE recipient SET <WHAT> WHERE message = <ID> AND number = <NUMBER>". */
static void set(int64_t id, int number, const char *what)
{
    char sql[512];

    snprintf(sql, sizeof sql, "UPDATE recipient SET %s WHERE message = %lld AND number = %d", what, (long long)id, number);
    check(db_run(q.db, sql));
}

static int64_t number_of(const char *sql)
{
    struct db_query *query = db_prepare(q.db, sql);
    int64_t value = -1;

    if (check(query != NULL) && db_step(query))
        value = db_is_null(query, 0) ? -2 : db_int(query, 0);
    if (query != NULL)
        check(db_finish(query));
    return value;
}

static void check_next(int64_t after, int64_t now, int64_t expected, int line)
{
    int64_t message = 0;
    int found = over_next(&o, after, now, &message);

    if (found != (expected != 0) || (found == 1 && message != expected))
        test_note(__FILE__, line, "the next message is not the one expected");
}

#define check_next(after, now, expected) check_next((after), (now), (expected), __LINE__)

static void close_message(int64_t id, int64_t now)
{
    check(queue_begin(&q));
    check(over_close(&o, id, now));
    check(queue_commit(&q));
}

static void what_is_over_is_found_in_turn(void)
{
    static const char *const over[] = {"state = 4", "state = 5", "state = 6", "state = 7", "warn = 1", "state = 3, warn = 1"};
    static const char *const open[] = {"state = 1", "state = 2", "state = 3", "warn = 2"};
    int64_t ids[TEST_COUNT(over)], last = 0, now;

    setup();
    check_next(0, clock_wall(), 0);
    for (size_t i = 0; i < TEST_COUNT(over); i++) {
        set(put(1, 10), 1, open[i % TEST_COUNT(open)]);
        ids[i] = put(2, 10);
        set(ids[i], 1, over[i]);
        set(ids[i], 2, "state = 3");
    }
    now = clock_wall();
    for (size_t i = 0; i < TEST_COUNT(over); i++) {
        check_next(last, now, ids[i]);
        last = ids[i];
    }
    check_next(last, now, 0);
    teardown();
}

/* With TMAIL_BOUNCE_ENABLED=false. */
static void what_failed_is_not_over_for_those_who_report_nothing(void)
{
    int64_t id, now = clock_wall();

    setup_with(true, false);
    set(put(1, 10), 1, "state = 4, warn = 1");
    check_next(0, now, 0);
    id = put(2, 10);
    set(id, 1, "state = 7");
    set(id, 2, "state = 4");
    check_next(0, now, id);
    close_message(id, now);
    check_next(0, now, 0);
    check_number(number_of("SELECT count(*) FROM recipient WHERE state = 4"), 2);
    check_number(number_of("SELECT count(*) FROM recipient"), 2);
    check_number(number_of("SELECT count(*) FROM history WHERE event = 'failed'"), 0);
    teardown();
}

static void others_are_waited_for(void)
{
    static const struct {
        const char *other;
        bool waits;
    } others[] = {
        {"state = 2, attempts = 1", true},
        {"state = 1, attempts = 0", true},
        {"state = 1, attempts = 0, due = due + 100000000", false},
        {"state = 1, attempts = 1", false},
        {"state = 3", false},
        {"state = 4, tried = 0", false},
    };
    char failed[64];
    int64_t now;

    for (size_t i = 0; i < TEST_COUNT(others); i++) {
        int64_t id;

        setup();
        id = put(3, 10);
        now = clock_wall();
        snprintf(failed, sizeof failed, "state = 4, tried = %lld", (long long)now);
        set(id, 1, failed);
        set(id, 2, others[i].other);
        set(id, 3, "state = 3");
        check_next(0, now, others[i].waits ? 0 : id);
        check_next(0, now + OVER_WAIT_MS - 1, others[i].waits ? 0 : id);
        check_next(0, now + OVER_WAIT_MS, id);
        check_next(0, now - 1, id); /* the clock was put back */
        teardown();
    }
}

static void who_waits_holds_up_nobody_else(void)
{
    int64_t waiting, id, now;
    char failed[64];

    setup();
    waiting = put(2, 10);
    now = clock_wall();
    snprintf(failed, sizeof failed, "state = 4, tried = %lld", (long long)now);
    set(waiting, 1, failed);
    set(waiting, 2, "state = 2");
    id = put(1, 10);
    set(id, 1, failed);
    check_next(0, now, id);
    check_next(id, now, 0);
    /* One that has waited is enough. */
    set(waiting, 1, "tried = tried - 30000");
    check_next(0, now, waiting);
    teardown();
}

static void what_is_over_is_loaded(void)
{
    struct over_message *m = NULL;
    struct over_recipient *r;
    int64_t id;

    setup();
    id = put(4, 1234);
    check(db_run(q.db, "UPDATE message SET kind = 1, envid = 'QQ314159', ret = 2, smtputf8 = 1, sender = 'a@b.example'"));
    set(id, 1, "state = 4, orcpt = 'rfc822;x@y', notify = 6, code = 550, enhanced = '5.1.1', reason = 'No', host = 'mx[192.0.2.1]:25', "
               "from_peer = 1, tried = 17");
    set(id, 2, "state = 3");
    set(id, 3, "state = 1, warn = 1");
    set(id, 4, "state = 6");
    check_number(over_load(&o, id, &m), 1);
    if (m != NULL) {
        check_number(m->envelope.id, id);
        check_number(m->envelope.kind, MESSAGE_REPORT);
        check_number(m->envelope.ret, RET_HDRS);
        check(m->envelope.smtputf8);
        check_str(m->envelope.envid, STR("QQ314159"));
        check_str(m->envelope.sender, STR("a@b.example"));
        check_str(m->envelope.session, STR("0123456789abcdef"));
        check_number(m->size, 1234);
        r = m->recipients;
        check_str(r->address, STR("r1@a.example"));
        check_str(r->orcpt, STR("rfc822;x@y"));
        check_str(r->enhanced, STR("5.1.1"));
        check_str(r->reason, STR("No"));
        check_str(r->host, STR("mx[192.0.2.1]:25"));
        check(r->state == RECIPIENT_FAILED && r->notify == 6 && r->code == 550 && r->from_peer && r->tried == 17);
        r = r->next;
        check(r != NULL && r->state == RECIPIENT_SCHEDULED);
        check_str(r->address, STR("r3@a.example"));
        check(r->next != NULL && r->next->state == RECIPIENT_RELAYED && r->next->next == NULL);
    }
    over_free(&m);
    check_number(over_load(&o, id + 1, &m), 0);
    check(m == NULL);
    teardown();
}

static void content_is_read_as_far_as_asked(void)
{
    static const int64_t sizes[] = {0, 1, BODY_PIECE, BODY_PIECE + 1, 3 * BODY_PIECE + 7, BODY_MEMORY_MAX + 1};

    setup();
    for (size_t i = 0; i < TEST_COUNT(sizes); i++)
        for (int64_t most = 0; most <= 4 * BODY_PIECE; most += BODY_PIECE / 2) {
            int64_t id = put(1, sizes[i]), expected = most < sizes[i] ? most : sizes[i];
            char scratch[BODY_PIECE];
            struct over_message *m;
            struct body body;

            body_init(&body, place.folder);
            check_number(over_load(&o, id, &m), 1);
            check(over_content(&o, m, most, &body));
            check_number(body.size, expected);
            if (expected > 0) {
                struct str piece = body_piece(&body, expected - 1, scratch);

                check(piece.length == 1 && piece.data[0] == letter_octet(expected - 1));
            }
            body_done(&body);
            over_free(&m);
        }
    teardown();
}

static void content_that_is_not_as_it_was_put_is_no_content(void)
{
    static const char *const damages[] = {"content = x''", "size = size + 1", "size = 'many'", "content = zeroblob(5)"};

    for (size_t i = 0; i < TEST_COUNT(damages); i++) {
        struct over_message *m;
        struct body body;
        char sql[64];
        int64_t id;

        setup();
        id = put(1, 100);
        snprintf(sql, sizeof sql, "UPDATE message SET %s", damages[i]);
        check(db_run(q.db, sql));
        body_init(&body, place.folder);
        check_number(over_load(&o, id, &m), 1);
        check(!over_content(&o, m, 10, &body));
        body_done(&body);
        over_free(&m);
        teardown();
    }
}

static void the_last_takes_the_message_along(void)
{
    int64_t id, now = clock_wall();

    setup();
    id = put(3, 10);
    put(1, 10);
    set(id, 1, "state = 4");
    set(id, 2, "warn = 1");
    close_message(id, now);
    check_number(number_of("SELECT count(*) FROM message"), 2);
    check_number(number_of("SELECT count(*) FROM past"), 0);
    check_number(number_of("SELECT group_concat(number * 10 + warn, '') FROM recipient WHERE message = (SELECT min(id) FROM message)"), 2230);
    set(id, 2, "state = 5");
    set(id, 3, "state = 7");
    close_message(id, now);
    check_number(number_of("SELECT count(*) FROM message"), 1);
    check_number(number_of("SELECT count(*) FROM recipient"), 1);
    check_number(number_of("SELECT id FROM past WHERE session = '0123456789abcdef' AND sender = 'sender@example.org' AND client = '192.0.2.1' AND "
                           "helo = 'client.example' AND kind = 0 AND size = 10"),
                 id);
    close_message(id, now);
    check_number(number_of("SELECT count(*) FROM past"), 1);
    teardown();
}

static void who_keeps_no_history_has_none(void)
{
    int64_t id;

    setup_with(false, true);
    id = put(1, 10);
    set(id, 1, "state = 4");
    check(queue_begin(&q));
    check(over_reported(&o, id, 77, 1));
    check(over_close(&o, id, 1));
    check(queue_commit(&q));
    check_number(number_of("SELECT count(*) FROM message"), 0);
    check_number(number_of("SELECT (SELECT count(*) FROM past) + (SELECT count(*) FROM history)"), 0);
    teardown();
}

/* What an attempt or an administrator wrote is not said again; what nobody wrote is said now. */
static void everybody_has_a_last_event(void)
{
    static const struct {
        const char *recipient, *event;
    } wanted[] = {
        {"state = 4", "failed"},
        {"state = 4, reason = '" QUEUE_BOUNCED_REASON "'", "bounced"},
        {"state = 5", "delivered"},
        {"state = 6", "delivered"},
        {"state = 7, taken = 'by rule 3'", "discarded"},
    };
    const int count = (int)TEST_COUNT(wanted);
    char sql[256];
    int64_t id;

    setup();
    put(1, 10);
    id = put(2 * count, 10);
    for (int i = 0; i < count; i++) {
        set(id, i + 1, wanted[i].recipient);
        set(id, count + i + 1, wanted[i].recipient);
        snprintf(sql, sizeof sql, "INSERT INTO history (at, message, recipient, event) VALUES (1, %lld, 'r%d@a.example', '%s')", (long long)id,
                 count + i + 1, wanted[i].event);
        check(db_run(q.db, sql));
    }
    check(db_run(q.db, "INSERT INTO history (at, message, event) SELECT 1, id, 'reported' FROM message"));
    check(db_run(q.db, "INSERT INTO history (at, message, event) SELECT 1, id, 'failed' FROM message"));
    check(db_run(q.db, "INSERT INTO history (at, message, recipient, event) SELECT 1, id, 'r1@a.example', 'deferred' FROM message"));
    close_message(id, 99);
    for (int i = 0; i < 2 * count; i++) {
        snprintf(sql, sizeof sql, "SELECT count(*) FROM history WHERE message = %lld AND recipient = 'r%d@a.example' AND event = '%s' AND at = %d",
                 (long long)id, i + 1, wanted[i % count].event, i < count ? 99 : 1);
        check_number(number_of(sql), 1);
    }
    check_number(number_of("SELECT count(*) FROM history WHERE event NOT IN ('reported', 'deferred') AND recipient IS NOT NULL"), 2 * count);
    check_number(number_of("SELECT count(*) FROM history WHERE event = 'discarded' AND taken = 'by rule 3'"), 1);
    teardown();
}

static void a_report_is_noted(void)
{
    int64_t id;

    setup();
    id = put(1, 10);
    check(over_reported(&o, id, 0x123456789abcdef, 17));
    check_number(number_of("SELECT message FROM history WHERE event = 'reported' AND recipient IS NULL AND at = 17 AND reason = '0123456789abcdef'"),
                 id);
    teardown();
}

static void what_cannot_be_told_is_held(void)
{
    int64_t id;

    setup();
    id = put(4, 10);
    set(id, 1, "state = 4");
    set(id, 2, "state = 99");
    set(id, 3, "warn = 1");
    check(over_hold(&o, id, "because"));
    check_number(db_changes(q.db), 3);
    check_next(0, clock_wall(), 0);
    check_number(number_of("SELECT count(*) FROM recipient WHERE state = 3 AND reason = 'because'"), 2);
    check_number(number_of("SELECT count(*) FROM recipient WHERE number = 3 AND state = 1 AND warn = 2"), 1);
    check_number(number_of("SELECT count(*) FROM recipient WHERE number = 4 AND state = 1 AND reason IS NULL"), 1);
    teardown();
}

/* It is nobody's, and would be found again and again. */
static void a_recipient_of_no_number_is_passed_by(void)
{
    int64_t id;

    setup();
    set(put(1, 10), 1, "state = 4, message = 'many'");
    check_next(0, clock_wall(), 0);
    id = put(1, 10);
    set(id, 1, "state = 4");
    check_next(0, clock_wall(), id);
    check_next(id, clock_wall(), 0);
    teardown();
}

/* The look must not grow with the queue. */
static void only_the_index_is_looked_at(void)
{
    struct db_query *plan;
    bool ok = false;

    setup();
    plan = db_prepare(q.db, "EXPLAIN QUERY PLAN SELECT message FROM recipient INDEXED BY recipient_over WHERE (state >= 4 OR warn = 1) AND "
                            "(state >= 4 OR state < 4 AND warn = 1) AND message > 1 ORDER BY message LIMIT 1");
    if (check(plan != NULL && db_step(plan)))
        ok = str_contains(db_str(plan, 3), STR("USING COVERING INDEX recipient_over")) || str_contains(db_str(plan, 3), STR("USING INDEX recipient_over"));
    check(ok);
    check(plan != NULL && !db_step(plan)); /* no sorting */
    teardown();
}

static const struct test_case cases[] = {
    TEST_CASE(what_is_over_is_found_in_turn),
    TEST_CASE(what_failed_is_not_over_for_those_who_report_nothing),
    TEST_CASE(others_are_waited_for),
    TEST_CASE(who_waits_holds_up_nobody_else),
    TEST_CASE(what_is_over_is_loaded),
    TEST_CASE(content_is_read_as_far_as_asked),
    TEST_CASE(content_that_is_not_as_it_was_put_is_no_content),
    TEST_CASE(the_last_takes_the_message_along),
    TEST_CASE(who_keeps_no_history_has_none),
    TEST_CASE(everybody_has_a_last_event),
    TEST_CASE(a_report_is_noted),
    TEST_CASE(what_cannot_be_told_is_held),
    TEST_CASE(a_recipient_of_no_number_is_passed_by),
    TEST_CASE(only_the_index_is_looked_at),
};

int main(int argc, char **argv)
{
    return test_main(cases, TEST_COUNT(cases), argc, argv);
}

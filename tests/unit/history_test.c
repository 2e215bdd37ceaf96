#include "test.h"

#include "queue/history.h"
#include "queue/look.h"

#include "letter.h"
#include "place.h"

enum { DAY_MS = 86400000, MANY = 1000 };

static struct place place;
static struct queue q;
static struct db *db;
static struct history_pruner pruner;
static struct history h;
static char error[512];

static void setup(void)
{
    place_open(&place);
    check(queue_open(&q, place.folder, error, sizeof error));
    check(history_pruner_init(&pruner, &q));
    db = look_open(place.folder, error, sizeof error);
    check(db != NULL);
}

static void teardown(void)
{
    db_close(&db);
    queue_close(&q);
    place_close(&place);
}

static int64_t put(const char *first, const char *second)
{
    struct letter l;
    int64_t id;

    letter_open(&l, place.folder, first, 100);
    if (second != NULL)
        letter_recipient(&l, second);
    l.envelope.user = STR("ann");
    l.envelope.via = STR("ESMTPSA");
    l.envelope.envid = STR("env1");
    l.envelope.recipients->taken = STR("relay client");
    check(letter_put(&q, &l));
    id = l.envelope.id;
    letter_close(&l);
    return id;
}

/* SQL with the id of a message as ?1 and now as ?2. */
static void set(const char *sql, int64_t id)
{
    struct db_query *query = db_prepare(q.db, sql);

    if (!check(query != NULL)) {
        printf("# %s\n", db_error(q.db));
        return;
    }
    db_bind_int(query, 1, id);
    db_bind_int(query, 2, clock_wall());
    check(db_execute(query));
}

static int64_t number_of(const char *sql)
{
    struct db_query *query = db_prepare(q.db, sql);
    int64_t value = -1;

    if (check(query != NULL) && db_step(query))
        value = db_int(query, 0);
    if (query != NULL)
        check(db_finish(query));
    return value;
}

static void what_nobody_knows_is_not_found(void)
{
    setup();
    check_number(history_read(&h, db, 12345), 0);
    history_done(&h);
    teardown();
}

static void a_message_that_waits(void)
{
    int64_t id;

    setup();
    id = put("b@b.example", "c@c.example");
    set("INSERT INTO history (at, message, recipient, event, code, reason) "
        "VALUES (5, ?1, 'x@x.example', 'refused', 550, 'no' || substr(?2, 1, 0))", id);
    set("INSERT INTO history (at, message, recipient, event, attempt, took, host, tls, code, enhanced, reason) "
        "VALUES (6, ?1, 'b@b.example', 'deferred', 1, 0, 'mx[192.0.2.1]:25', 'none', 451, '4.7.1', 'later' || substr(?2, 1, 0))", id);
    set("UPDATE recipient SET attempts = 1, due = 777, wish = 2 WHERE message = ?1 AND number = 1 AND ?2 > 0", id);
    set("UPDATE recipient SET state = 3 WHERE message = ?1 AND number = 2 AND ?2 > 0", id);
    check_number(history_read(&h, db, id), 1);
    check(h.waits);
    check_number(h.id, id);
    check_number(h.arrived >> 10, id >> 21 >> 10);
    check_number(h.size, 100);
    check_number(h.kind, MESSAGE_MAIL);
    check_str(h.session, STR("0123456789abcdef"));
    check_str(h.sender, STR("sender@example.org"));
    check_str(h.client, STR("192.0.2.1"));
    check_str(h.helo, STR("client.example"));
    check_str(h.user, STR("ann"));
    check_str(h.via, STR("ESMTPSA"));
    check_str(h.envid, STR("env1"));
    check_str(h.recipients->address, STR("b@b.example"));
    check_str(h.recipients->taken, STR("relay client"));
    check_number(h.recipients->state, RECIPIENT_SCHEDULED);
    check_number(h.recipients->due, 777);
    check_number(h.recipients->attempts, 1);
    check_number(h.recipients->wish, WISH_DISCARD);
    check_str(h.recipients->next->address, STR("c@c.example"));
    check_str(h.recipients->next->taken, STR(""));
    check_number(h.recipients->next->state, RECIPIENT_HELD);
    check_number(h.recipients->next->due, 0);
    check(h.recipients->next->next == NULL); /* who was refused is no recipient */
    check_str(h.events->event, STR("refused"));
    check_str(h.events->recipient, STR("x@x.example"));
    check_number(h.events->took, -1);
    check_number(h.events->attempt, 0);
    check_number(h.events->at, 5);
    check_str(h.events->next->event, STR("deferred"));
    check_number(h.events->next->attempt, 1);
    check_number(h.events->next->took, 0);
    check_number(h.events->next->code, 451);
    check_str(h.events->next->enhanced, STR("4.7.1"));
    check_str(h.events->next->reason, STR("later"));
    check_str(h.events->next->host, STR("mx[192.0.2.1]:25"));
    check_str(h.events->next->tls, STR("none"));
    check(h.events->next->next == NULL);
    history_done(&h);
    check(!db_in_transaction(db));
    teardown();
}

static const char forget_sql[] = "DELETE FROM message WHERE id = ?1 AND ?2 > 0";
static const char remember_sql[] = "INSERT INTO past SELECT id, session, arrived, sender, user, client, helo, via, kind, envid, size "
                                   "FROM message WHERE id = ?1 AND ?2 > 0";

static void a_message_that_is_gone(void)
{
    int64_t id;

    setup();
    id = put("b@b.example", "c@c.example");
    put("other@c.example", NULL);
    set("INSERT INTO history (at, message, recipient, event, attempt, taken) VALUES (?2, ?1, 'c@c.example', 'deferred', 1, NULL)", id);
    set("INSERT INTO history (at, message, recipient, event, attempt, taken) "
        "VALUES (?2, ?1, 'b@b.example', 'delivered', 1, 'relay client')", id);
    set("INSERT INTO history (at, message, recipient, event, attempt, taken) VALUES (?2, ?1, 'c@c.example', 'failed', 2, 'login')", id);
    set("INSERT INTO history (at, message, recipient, event, attempt, taken) VALUES (?2, ?1, 'c@c.example', 'held', NULL, NULL)", id);
    set("INSERT INTO history (at, message, event, reason) VALUES (?2, ?1, 'reported', '00ff')", id);
    set("DELETE FROM recipient WHERE message = ?1 AND ?2 > 0", id);
    set(remember_sql, id);
    set(forget_sql, id);
    check_number(history_read(&h, db, id), 1);
    check(!h.waits);
    check_str(h.sender, STR("sender@example.org"));
    check_number(h.size, 100);
    check_str(h.recipients->address, STR("b@b.example"));
    check_str(h.recipients->taken, STR("relay client"));
    check_number(h.recipients->state, 0);
    check_str(h.recipients->next->address, STR("c@c.example"));
    check_str(h.recipients->next->taken, STR("login"));
    check_number(h.recipients->next->attempts, 2);
    check(h.recipients->next->next == NULL);
    check_str(h.events->next->next->next->next->event, STR("reported"));
    check_str(h.events->next->next->next->next->recipient, STR(""));
    check_str(h.events->next->next->next->next->reason, STR("00ff"));
    history_done(&h);
    teardown();
}

/* Rows of MANY messages that are gone, the first of them a day old and each a second younger than the one before. */
static void put_past(void)
{
    set("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000) "
        "INSERT INTO past SELECT ?1 + i, 's', 1, 'a', NULL, 'c', 'h', NULL, 0, NULL, 1 FROM n WHERE ?2 > 0", 0);
    set("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000) "
        "INSERT INTO history (at, message, event) SELECT ?2 - 86400000 + 1000 * i, ?1 + i, 'delivered' FROM n", 0);
}

static void the_oldest_rows_go_in_batches(void)
{
    setup();
    put_past();
    check_number(history_prune(&pruner, DAY_MS, 1000000, 100), 0);
    check_number(number_of("SELECT count(*) FROM history"), MANY);
    /* All older than 23 hours, 56 minutes and 40 seconds: the first 200. */
    check_number(history_prune(&pruner, DAY_MS - 200500, 1000000, 150), 150);
    check_number(number_of("SELECT min(message) FROM history"), 151);
    check_number(number_of("SELECT min(id) FROM past"), 151);
    check_number(history_prune(&pruner, DAY_MS - 200500, 1000000, 150), 50);
    check_number(history_prune(&pruner, DAY_MS - 200500, 1000000, 150), 0);
    check_number(number_of("SELECT count(*) FROM history"), MANY - 200);
    check_number(number_of("SELECT count(*) FROM past"), MANY - 200);
    check_number(number_of("SELECT min(id) FROM past"), 201);
    teardown();
}

static void rows_are_bounded_in_number(void)
{
    setup();
    put_past();
    check_number(history_prune(&pruner, 2LL * DAY_MS, MANY, 5000), 0);
    check_number(history_prune(&pruner, 2LL * DAY_MS, 300, 5000), 700);
    check_number(number_of("SELECT count(*) FROM history"), 300);
    check_number(number_of("SELECT min(message) FROM history"), 701);
    check_number(number_of("SELECT count(*) FROM past"), 300);
    check_number(history_prune(&pruner, 0, 300, 5000), 300);
    check_number(number_of("SELECT count(*) FROM history"), 0);
    check_number(number_of("SELECT count(*) FROM past"), 0);
    check_number(history_prune(&pruner, 0, 300, 5000), 0);
    teardown();
}

static void a_message_is_known_until_its_last_row_goes(void)
{
    setup();
    put_past();
    set("UPDATE history SET message = 1 WHERE message IN (5, 600) AND ?1 = 0 AND ?2 > 0", 0);
    check_number(history_prune(&pruner, DAY_MS - 200500, 1000000, 5000), 200);
    check_number(number_of("SELECT count(*) FROM past WHERE id = 1"), 1);
    check_number(number_of("SELECT count(*) FROM past WHERE id = 2"), 0);
    check_number(history_prune(&pruner, DAY_MS - 700500, 1000000, 5000), 500);
    check_number(number_of("SELECT count(*) FROM past WHERE id = 1"), 0);
    teardown();
}

static void what_a_wrong_clock_wrote_is_in_nobodys_way(void)
{
    setup();
    set("INSERT INTO history (at, message, event) VALUES (?2 * 3, ?1, 'delivered')", 7);
    put_past();
    check_number(history_prune(&pruner, DAY_MS - 200500, 1000000, 5000), 201);
    check_number(number_of("SELECT max(at) < 1000 * strftime('%s', 'now') + 60000 FROM history"), 1);
    teardown();
}

static void messages_that_wait_are_not_touched(void)
{
    int64_t id;

    setup();
    id = put("b@b.example", NULL);
    set("INSERT INTO history (at, message, recipient, event, attempt) VALUES (?2 - 99999999, ?1, 'b@b.example', 'deferred', 1)", id);
    check_number(history_prune(&pruner, 1000, 1000, 1000), 1);
    check_number(number_of("SELECT count(*) FROM message"), 1);
    check_number(number_of("SELECT count(*) FROM recipient"), 1);
    check_number(history_read(&h, db, id), 1);
    check(h.waits && h.events == NULL && h.recipients != NULL);
    history_done(&h);
    teardown();
}

static const struct test_case cases[] = {
    TEST_CASE(what_nobody_knows_is_not_found),
    TEST_CASE(a_message_that_waits),
    TEST_CASE(a_message_that_is_gone),
    TEST_CASE(the_oldest_rows_go_in_batches),
    TEST_CASE(rows_are_bounded_in_number),
    TEST_CASE(a_message_is_known_until_its_last_row_goes),
    TEST_CASE(what_a_wrong_clock_wrote_is_in_nobodys_way),
    TEST_CASE(messages_that_wait_are_not_touched),
};

int main(int argc, char **argv)
{
    return test_main(cases, TEST_COUNT(cases), argc, argv);
}

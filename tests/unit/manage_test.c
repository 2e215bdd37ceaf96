#include "test.h"

#include "queue/manage.h"
#include "queue/rows.h"
#include "queue/wake.h"

#include "letter.h"
#include "place.h"

static struct place place;
static struct queue q;
static struct wake wake;
static char error[512];
static int64_t reported[32];
static int reports, steps, stop_after;
static bool report_fails;

static void setup(void)
{
    place_open(&place);
    check(queue_open(&q, place.folder, error, sizeof error));
    wake_open(&wake, place.folder);
    reports = steps = stop_after = 0;
    report_fails = false;
}

static void teardown(void)
{
    wake_close(&wake);
    queue_close(&q);
    place_close(&place);
}

static bool was_woken(void)
{
    struct pollfd p = {.fd = wake.fd, .events = POLLIN};
    bool woken = poll(&p, 1, 0) > 0;

    wake_drain(&wake);
    return woken;
}

static int64_t put(const char *first, const char *second)
{
    struct letter l;
    int64_t id;

    letter_open(&l, place.folder, first, 100);
    if (second != NULL)
        letter_recipient(&l, second);
    check(letter_put(&q, &l));
    id = l.envelope.id;
    letter_close(&l);
    return id;
}

static void set(const char *sql)
{
    if (!check(db_run(q.db, sql)))
        printf("# %s: %s\n", sql, db_error(q.db));
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

/* The first column of all rows, with commas. */
static void check_rows(const char *sql, const char *expected)
{
    struct db_query *query = db_prepare(q.db, sql);
    struct buf found = {0};

    while (check(query != NULL) && db_step(query))
        buf_print(&found, "%s%.*s", found.length > 0 ? "," : "", STR_ARG(db_str(query, 0)));
    check(db_finish(query));
    if (!check_text(buf_text(&found), expected))
        printf("# %s\n", sql);
    buf_done(&found);
}

static bool report(void *context, int64_t message)
{
    struct letter l;

    (void)context;
    if (reports < (int)TEST_COUNT(reported))
        reported[reports] = message;
    reports++;
    letter_open(&l, place.folder, "reported@report.example", 100);
    check(queue_put(&q, &l.envelope, &l.body));
    letter_close(&l);
    return !report_fails;
}

static bool progress(void *context, int64_t recipients)
{
    (void)context;
    check(recipients > 0);
    return ++steps != stop_after;
}

static struct manage_result change(enum manage_verb verb, int64_t message, const char *option, const char *word)
{
    const struct manage_change c = {.verb = verb, .route = 7, .history = true, .who = "by me", .report = NULL, .progress = progress};
    struct manage_result result;
    struct selection s;

    selection_init(&s);
    if (message != 0)
        selection_set_message(&s, message);
    if (option != NULL)
        check(selection_add(&s, option, str_of(word), clock_wall()) == NULL);
    check(manage_change(&q, &s, &c, &result));
    selection_done(&s);
    return result;
}

static void check_result(struct manage_result r, int64_t done, int64_t marked)
{
    check_number(r.done, done);
    check_number(r.marked, marked);
    check(!r.stopped);
}

struct listing {
    struct buf text;
    int count;
    int64_t next, last_id;
};

static void take(void *context, const struct queue_row *row)
{
    struct listing *l = context;

    check(row->id >= l->last_id);
    l->last_id = row->id;
    l->count++;
    l->next = row->next;
    buf_print(&l->text, "%.*s %.*s %s %d %d %.*s %.*s|", STR_ARG(row->sender), STR_ARG(row->recipient), recipient_state_name(row->state),
              (int)row->attempts, row->code, STR_ARG(row->enhanced), STR_ARG(row->reason));
}

static void rows_come_in_order_of_arrival(void)
{
    struct listing l = {0};
    struct selection s;
    struct queue_count count;

    setup();
    selection_init(&s);
    check(rows_list(&q, &s, 0, take, &l));
    check_number(l.count, 0);
    check(rows_count(&q, &s, &count));
    check(count.messages == 0 && count.recipients == 0);
    put("b@b.example", "a@a.example");
    put("c@c.example", NULL);
    set("UPDATE recipient SET state = 4, code = 550, enhanced = '5.1.1', reason = 'nobody', attempts = 3 WHERE number = 2");
    check(rows_list(&q, &s, 0, take, &l));
    check_text(buf_text(&l.text), "sender@example.org b@b.example scheduled 0 0  |sender@example.org a@a.example failed 3 550 5.1.1 nobody|"
                                  "sender@example.org c@c.example scheduled 0 0  |");
    check(l.next > 0);
    l = (struct listing){.text = l.text};
    check(rows_list(&q, &s, 2, take, &l));
    check_number(l.count, 2);
    check_number(l.next, 0); /* nothing is planned for what has failed */
    check(rows_count(&q, &s, &count));
    check(count.messages == 2 && count.recipients == 3 && count.in_progress == 0);
    check(rows_count_states(&q, &s, 1U << RECIPIENT_FAILED, &count));
    check(count.messages == 1 && count.recipients == 1);
    buf_done(&l.text);
    selection_done(&s);
    teardown();
}

static void many_rows(int count)
{
    for (int i = 0; i < count; i++) {
        char address[64];

        snprintf(address, sizeof address, "r%d@many.example", i);
        put(address, i % 2 == 0 ? "second@other.example" : NULL);
    }
}

static void a_list_of_more_than_a_page(void)
{
    static const int limits[] = {0, 1, 499, 500, 501, 999, 1000, 1001, 1050, 1051, 5000};
    struct selection s;

    setup();
    selection_init(&s);
    many_rows(700);
    for (size_t i = 0; i < TEST_COUNT(limits); i++) {
        struct listing l = {0};

        check(rows_list(&q, &s, limits[i], take, &l));
        check_number(l.count, limits[i] == 0 || limits[i] > 1050 ? 1050 : limits[i]);
        buf_done(&l.text);
    }
    selection_done(&s);
    teardown();
}

/* A message with a recipient of each state, in their order. */
static int64_t put_states(void)
{
    int64_t id = put("r1@a.example", "r2@a.example");

    set("INSERT INTO recipient (message, number, address, domain, flow, taken, notify, state, wish, warn, due, attempts, crashes) SELECT message, "
        "value, 'r' || value || '@a.example', domain, flow, 'rcpthost', 0, value, 0, 0, 99999999999999, 3, 2 FROM recipient, "
        "(SELECT 3 AS value UNION SELECT 4 UNION SELECT 5) WHERE number = 1");
    set("UPDATE recipient SET state = number, due = 99999999999999, taken = 'rcpthost', owner = CASE number WHEN 2 THEN 7 END, code = 550, "
        "crashes = 2, enhanced = '5.1.1', reason = 'before', host = 'h', from_peer = 1");
    return id;
}

static void what_each_verb_does(void)
{
    static const struct {
        enum manage_verb verb;
        int64_t done, marked;
        const char *states, *wishes, *due, *history, *event;
    } table[] = {
        {MANAGE_FLUSH, 1, 0, "1,2,3,4,5", "0,0,0,0,0", "1,0,0,0,0", "r1@a.example", "flushed"},
        {MANAGE_HOLD, 1, 1, "3,2,3,4,5", "0,1,0,0,0", "0,0,0,0,0", "r1@a.example", "held"},
        {MANAGE_RELEASE, 2, 0, "1,2,1,1,5", "0,0,0,0,0", "0,0,1,1,0", "r3@a.example,r4@a.example", "released"},
        {MANAGE_DISCARD, 3, 1, "2,5", "2,0", "0,0", "r1@a.example,r3@a.example,r4@a.example", "discarded"},
        {MANAGE_BOUNCE, 3, 1, "4,2,4,4,5", "3,3,3,3,0", "1,0,1,1,0", "r1@a.example,r3@a.example,r4@a.example", "bounced"},
        {MANAGE_REROUTE, 3, 1, "1,2,3,4,5", "0,0,0,0,0", "1,0,0,0,0", "r1@a.example,r3@a.example,r4@a.example", "rerouted"},
        {MANAGE_PURGE, 1, 0, "1,2,3,5", "0,0,0,0", "0,0,0,0", "r4@a.example", "discarded"},
    };

    for (size_t i = 0; i < TEST_COUNT(table); i++) {
        int64_t id;

        setup();
        id = put_states();
        put("c@c.example", NULL);
        was_woken();
        check_result(change(table[i].verb, id, NULL, NULL), table[i].done, table[i].marked);
        check(was_woken());
        check_rows("SELECT state FROM recipient WHERE domain = 'a.example' ORDER BY number", table[i].states);
        check_rows("SELECT wish FROM recipient WHERE domain = 'a.example' ORDER BY number", table[i].wishes);
        check_rows("SELECT due < 99999999999999 FROM recipient WHERE domain = 'a.example' ORDER BY number", table[i].due);
        check_rows("SELECT recipient FROM history ORDER BY id", table[i].history);
        check_rows("SELECT DISTINCT event FROM history", table[i].event);
        check_rows("SELECT DISTINCT reason FROM history", "by me");
        check_number(number_of("SELECT count(*) FROM recipient WHERE domain = 'c.example' AND state = 1 AND wish = 0 AND flushed IS NULL"), 1);
        teardown();
    }
}

static void a_release_gives_all_tries_again(void)
{
    int64_t id, now = clock_wall();

    setup();
    id = put_states();
    set("UPDATE recipient SET wish = 2 WHERE number = 2");
    check_result(change(MANAGE_RELEASE, id, NULL, NULL), 2, 1);
    check_rows("SELECT crashes FROM recipient ORDER BY number", "2,2,0,0,2");
    check_number(number_of("SELECT count(*) FROM recipient WHERE flushed >= due AND due > 0"), 2);
    check(number_of("SELECT min(flushed) FROM recipient WHERE flushed IS NOT NULL") >= now);
    check_number(number_of("SELECT wish FROM recipient WHERE number = 2"), 0); /* what was wished is not any more */
    check_number(number_of("SELECT count(*) FROM recipient WHERE attempts = 3"), 3);
    teardown();
}

static void the_last_word_counts(void)
{
    int64_t id;

    setup();
    id = put("a@a.example", NULL);
    set("UPDATE recipient SET state = 2, owner = 7");
    check_result(change(MANAGE_DISCARD, id, NULL, NULL), 0, 1);
    check_result(change(MANAGE_HOLD, id, NULL, NULL), 0, 1);
    check_number(number_of("SELECT wish FROM recipient"), WISH_HOLD);
    check_result(change(MANAGE_BOUNCE, id, NULL, NULL), 0, 1);
    check_number(number_of("SELECT wish FROM recipient"), WISH_BOUNCE);
    check_result(change(MANAGE_FLUSH, id, NULL, NULL), 0, 0);
    check_number(number_of("SELECT wish FROM recipient"), WISH_BOUNCE);
    check_result(change(MANAGE_REROUTE, id, NULL, NULL), 0, 1);
    check_number(number_of("SELECT route FROM recipient WHERE state = 2 AND wish = 3"), 7);
    check_number(number_of("SELECT count(*) FROM history"), 0); /* nothing has happened yet */
    teardown();
}

static void a_message_goes_with_its_last_recipient(void)
{
    int64_t id;

    setup();
    id = put("a@a.example", "b@b.example");
    put("c@c.example", NULL);
    set("UPDATE recipient SET state = 2, owner = 7 WHERE number = 2");
    check_result(change(MANAGE_DISCARD, id, NULL, NULL), 1, 1);
    check_number(number_of("SELECT count(*) FROM message"), 2);
    check_number(number_of("SELECT count(*) FROM past"), 0);
    set("UPDATE recipient SET state = 4, taken = 'relay' WHERE state = 2");
    check_result(change(MANAGE_PURGE, 0, NULL, NULL), 1, 0);
    check_number(number_of("SELECT count(*) FROM message"), 1);
    check_number(number_of("SELECT id FROM past"), id);
    check_rows("SELECT taken FROM history WHERE recipient = 'b@b.example'", "relay");
    check_result(change(MANAGE_DISCARD, id, NULL, NULL), 0, 0);
    check_result(change(MANAGE_DISCARD, 12345, NULL, NULL), 0, 0);
    check_number(number_of("SELECT count(*) FROM message"), 1);
    teardown();
}

static void nothing_is_written_without_a_history(void)
{
    const struct manage_change c = {.verb = MANAGE_DISCARD, .who = "by me"};
    struct manage_result result;
    struct selection s;

    setup();
    put_states();
    put("c@c.example", NULL);
    set("DELETE FROM recipient WHERE state IN (2, 5)");
    selection_init(&s);
    check(manage_change(&q, &s, &c, &result));
    check_result(result, 4, 0);
    check_number(number_of("SELECT (SELECT count(*) FROM message) + (SELECT count(*) FROM recipient) + (SELECT count(*) FROM past) + "
                           "(SELECT count(*) FROM history)"), 0);
    selection_done(&s);
    teardown();
}

static void what_is_bounced_says_why(void)
{
    int64_t id;

    setup();
    id = put_states();
    check_result(change(MANAGE_BOUNCE, id, NULL, NULL), 3, 1);
    check_rows("SELECT code || ' ' || enhanced || ' ' || reason || ' ' || ifnull(host, '-') || ' ' || from_peer FROM recipient WHERE state = 4 "
               "ORDER BY number",
               "554 5.0.0 bounced by the administrator - 0,554 5.0.0 bounced by the administrator - 0,550 5.1.1 before h 1");
    teardown();
}

/* Reports are put while the change goes on: they are not meant by it. */
static void each_message_is_reported_once(void)
{
    const struct manage_change c = {.verb = MANAGE_BOUNCE, .history = true, .who = "by me", .report = report};
    struct manage_result result;
    struct selection s;
    int64_t first, second;

    setup();
    selection_init(&s);
    first = put("a@a.example", "b@b.example");
    second = put("c@c.example", "d@d.example");
    put("e@e.example", NULL);
    set("UPDATE recipient SET state = 2, owner = 7 WHERE address IN ('d@d.example', 'e@e.example')");
    check(manage_change(&q, &s, &c, &result));
    check_result(result, 3, 2);
    check_number(reports, 2);
    check(reported[0] == first && reported[1] == second);
    check_number(number_of("SELECT count(*) FROM recipient WHERE state = 4"), 3);
    check_number(number_of("SELECT count(*) FROM recipient WHERE domain = 'report.example' AND state = 1"), 2);
    selection_done(&s);
    teardown();
}

static void a_report_that_fails_takes_all_back(void)
{
    const struct manage_change c = {.verb = MANAGE_BOUNCE, .history = true, .who = "by me", .report = report};
    struct manage_result result;
    struct selection s;

    setup();
    selection_init(&s);
    put("a@a.example", "b@b.example");
    set("UPDATE recipient SET state = 2 WHERE number = 2");
    report_fails = true;
    check(!manage_change(&q, &s, &c, &result));
    check_result(result, 0, 0);
    check_rows("SELECT state FROM recipient ORDER BY number", "1,2");
    check_number(number_of("SELECT count(*) FROM history WHERE 1") + number_of("SELECT sum(wish) FROM recipient"), 0);
    check(!db_in_transaction(q.db));
    selection_done(&s);
    teardown();
}

static void a_long_change_goes_in_steps(void)
{
    struct manage_result r;

    setup();
    many_rows(1000);
    check_result(change(MANAGE_HOLD, 0, NULL, NULL), 1500, 0);
    check(steps > 2);
    check_number(number_of("SELECT count(*) FROM history WHERE event = 'held'"), 1500);
    steps = 0;
    stop_after = 2;
    r = change(MANAGE_RELEASE, 0, NULL, NULL);
    check(r.stopped && r.done > 0 && r.done < 1500);
    check_number(number_of("SELECT count(*) FROM recipient WHERE state = 1"), r.done);
    /* A step does not part the recipients of a message. */
    check_number(number_of("SELECT count(*) FROM (SELECT 1 FROM recipient GROUP BY message HAVING min(state) <> max(state))"), 0);
    steps = stop_after = 0;
    check_result(change(MANAGE_RELEASE, 0, NULL, NULL), 1500 - r.done, 0);
    teardown();
}

static void a_selection_and_nothing_else(void)
{
    setup();
    put("a@a.example", "b@b.example");
    put("b@b.example", NULL);
    check_result(change(MANAGE_HOLD, 0, "domain", "b.example"), 2, 0);
    check_rows("SELECT state FROM recipient ORDER BY message, number", "1,3,3");
    check_result(change(MANAGE_DISCARD, 0, "status", "held"), 2, 0);
    check_number(number_of("SELECT count(*) FROM message"), 1);
    check_result(change(MANAGE_DISCARD, 0, "from", "nobody@example.org"), 0, 0);
    check_result(change(MANAGE_DISCARD, 0, "from", "example.org"), 1, 0);
    check_number(number_of("SELECT count(*) FROM message"), 0);
    teardown();
}

static void what_a_verb_is_about(void)
{
    check_number(manage_states(MANAGE_FLUSH), 1 << 1);
    check_number(manage_states(MANAGE_HOLD), 1 << 1 | 1 << 2);
    check_number(manage_states(MANAGE_RELEASE), 1 << 3 | 1 << 4);
    check_number(manage_states(MANAGE_BOUNCE), 1 << 1 | 1 << 2 | 1 << 3 | 1 << 4);
    check_number(manage_states(MANAGE_PURGE), 1 << 4);
}

static const struct test_case cases[] = {
    TEST_CASE(rows_come_in_order_of_arrival),
    TEST_CASE(a_list_of_more_than_a_page),
    TEST_CASE(what_each_verb_does),
    TEST_CASE(a_release_gives_all_tries_again),
    TEST_CASE(the_last_word_counts),
    TEST_CASE(a_message_goes_with_its_last_recipient),
    TEST_CASE(nothing_is_written_without_a_history),
    TEST_CASE(what_is_bounced_says_why),
    TEST_CASE(each_message_is_reported_once),
    TEST_CASE(a_report_that_fails_takes_all_back),
    TEST_CASE(a_long_change_goes_in_steps),
    TEST_CASE(a_selection_and_nothing_else),
    TEST_CASE(what_a_verb_is_about),
};

int main(int argc, char **argv)
{
    return test_main(cases, TEST_COUNT(cases), argc, argv);
}

#include "test.h"

#include "queue/manage.h"
#include "queue/wake.h"

#include "letter.h"
#include "place.h"

static struct place place;
static struct queue q;
static struct wake wake;
static char error[512];

static void setup(void)
{
    place_open(&place);
    check(queue_open(&q, place.folder, error, sizeof error));
    wake_open(&wake, place.folder);
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
    check(db_run(q.db, sql));
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
    int64_t id, messages, recipients;

    setup();
    check(manage_list(&q, 0, take, &l));
    check_number(l.count, 0);
    check(manage_count(&q, &messages, &recipients));
    check(messages == 0 && recipients == 0);
    id = put("b@b.example", "a@a.example");
    put("c@c.example", NULL);
    set("UPDATE recipient SET state = 4, code = 550, enhanced = '5.1.1', reason = 'nobody', attempts = 3 WHERE number = 2");
    check(manage_list(&q, 0, take, &l));
    check_text(buf_text(&l.text), "sender@example.org b@b.example scheduled 0 0  |sender@example.org a@a.example failed 3 550 5.1.1 nobody|"
                                  "sender@example.org c@c.example scheduled 0 0  |");
    check(l.next > 0);
    buf_clear(&l.text);
    l = (struct listing){.text = l.text};
    check(manage_list(&q, id, take, &l));
    check_number(l.count, 2);
    check_number(l.next, 0); /* nothing is planned for what has failed */
    check(manage_list(&q, id + 12345, take, &l));
    check_number(l.count, 2);
    check(manage_count(&q, &messages, &recipients));
    check(messages == 2 && recipients == 3);
    buf_done(&l.text);
    teardown();
}

static void facts_of_a_message(void)
{
    struct queue_facts facts;
    int64_t id;

    setup();
    id = put("a@a.example", NULL);
    check_number(manage_facts(&q, id, &facts), 1);
    check_str(facts.session, STR("0123456789abcdef"));
    check_str(facts.client, STR("192.0.2.1"));
    check_str(facts.helo, STR("client.example"));
    check_number(facts.user.length, 0);
    check_number(manage_facts(&q, id + 1, &facts), 0);
    check_number(manage_facts(&q, 0, &facts), 0);
    teardown();
}

static void discarding_leaves_what_is_being_delivered(void)
{
    struct manage_result r;
    int64_t id, other;

    setup();
    id = put("a@a.example", "b@b.example");
    other = put("c@c.example", NULL);
    set("UPDATE recipient SET state = 2, owner = 7 WHERE number = 2");
    was_woken();
    check(manage_discard(&q, id, &r));
    check(r.done == 1 && r.busy == 1);
    check_number(number_of("SELECT count(*) FROM message"), 2);
    check_number(number_of("SELECT count(*) FROM recipient"), 2);
    set("UPDATE recipient SET state = 4 WHERE state = 2");
    check(manage_discard(&q, id, &r));
    check(r.done == 1 && r.busy == 0);
    check_number(number_of("SELECT count(*) FROM message"), 1);
    check(manage_discard(&q, id, &r));
    check(r.done == 0 && r.busy == 0);
    /* 0 is all to those that say so, and not here. */
    check(manage_discard(&q, 0, &r));
    check_number(r.done, 0);
    check_number(number_of("SELECT count(*) FROM message"), 1);
    check(manage_hold(&q, 0, &r) && r.done == 0);
    check(manage_release(&q, 0, &r) && r.done == 0);
    (void)other;
    teardown();
}

static void holding_and_releasing(void)
{
    struct manage_result r;
    int64_t id, now = clock_wall();

    setup();
    id = put("a@a.example", "b@b.example");
    put("c@c.example", NULL);
    check(manage_hold(&q, id, &r));
    check(r.done == 2 && r.busy == 0);
    check_number(number_of("SELECT count(*) FROM recipient WHERE state = 3"), 2);
    set("UPDATE recipient SET crashes = 3, due = 99999999999999 WHERE number = 1 AND state = 3");
    set("UPDATE recipient SET state = 4, due = 0 WHERE number = 2");
    was_woken();
    check(manage_release(&q, id, &r));
    check(was_woken());
    check(r.done == 2 && r.busy == 0);
    check_number(number_of("SELECT count(*) FROM recipient WHERE state = 1 AND crashes = 0"), 3);
    check(number_of("SELECT max(due) FROM recipient") <= clock_wall());
    check(number_of("SELECT min(flushed) FROM recipient WHERE flushed IS NOT NULL") >= now);
    set("UPDATE recipient SET state = 2");
    check(manage_hold(&q, id, &r));
    check(r.done == 0 && r.busy == 2);
    check(manage_release(&q, id, &r));
    check(r.done == 0 && r.busy == 2);
    check_number(number_of("SELECT count(*) FROM recipient WHERE state = 2"), 3);
    teardown();
}

static void flushing_makes_due(void)
{
    static const struct {
        const char *domain;
        bool one_message;
        int64_t done;
    } table[] = {{"", false, 3}, {"", true, 2}, {"b.example", false, 2}, {"b.example", true, 1}, {"nowhere.example", false, 0}, {"%", false, 0}, {"B.EXAMPLE", false, 0}};

    for (size_t i = 0; i < TEST_COUNT(table); i++) {
        struct manage_result r;
        int64_t id, now = clock_wall();

        setup();
        id = put("a@a.example", "b@b.example");
        put("b@b.example", NULL);
        set("UPDATE recipient SET due = 99999999999999");
        was_woken();
        check(manage_flush(&q, table[i].one_message ? id : 0, str_of(table[i].domain), &r));
        check_number(r.done, table[i].done);
        check_number(r.busy, 0);
        check_number(number_of("SELECT count(*) FROM recipient WHERE due < 99999999999999"), table[i].done);
        if (table[i].done > 0) {
            check(was_woken());
            check(number_of("SELECT min(flushed) FROM recipient WHERE flushed IS NOT NULL") >= now);
        }
        teardown();
    }
    struct manage_result r;
    setup();
    put("a@a.example", "b@b.example");
    set("UPDATE recipient SET state = 2 WHERE number = 1");
    set("UPDATE recipient SET state = 3 WHERE number = 2");
    check(manage_flush(&q, 0, STR(""), &r));
    check(r.done == 0 && r.busy == 1);
    check_number(number_of("SELECT count(*) FROM recipient WHERE state = 3"), 1); /* held is held */
    teardown();
}

static const struct test_case cases[] = {
    TEST_CASE(rows_come_in_order_of_arrival),
    TEST_CASE(facts_of_a_message),
    TEST_CASE(discarding_leaves_what_is_being_delivered),
    TEST_CASE(holding_and_releasing),
    TEST_CASE(flushing_makes_due),
};

int main(int argc, char **argv)
{
    return test_main(cases, TEST_COUNT(cases), argc, argv);
}

#include "test.h"

#include "deliverd/outcome.h"

#include "letter.h"
#include "place.h"

static struct conf conf = {.deliverd_queue_lifetime = 7 * 86400000LL, .deliverd_queue_bounces_lifetime = 86400000, .deliverd_retry_min = 60000,
                           .deliverd_retry_max = 3600000, .deliverd_retry_times = "", .deliverd_retry_greylist = "2m"};

static void the_first_digit_and_the_age_decide(void)
{
    static const struct {
        int code;
        const char *enhanced;
        int64_t age_ms;
        enum outcome outcome;
        int class, subject, detail;
    } table[] = {
        {250, "2.0.0", 0, OUTCOME_DELIVERED, 2, 0, 0},
        {250, "", 30 * 86400000LL, OUTCOME_DELIVERED, 0, 0, 0},
        {450, "4.2.1", 0, OUTCOME_LATER, 4, 2, 1},
        {421, "", 0, OUTCOME_LATER, 0, 0, 0},
        {450, "4.2.1", 7 * 86400000LL - 60000, OUTCOME_LATER, 4, 2, 1},
        {450, "4.2.1", 7 * 86400000LL + 60000, OUTCOME_FAILED, 5, 2, 1},
        {451, "", 7 * 86400000LL + 60000, OUTCOME_FAILED, 5, 4, 7},
        {550, "5.1.1", 0, OUTCOME_FAILED, 5, 1, 1},
        {554, "", 0, OUTCOME_FAILED, 0, 0, 0},
        {0, "", 0, OUTCOME_LATER, 4, 3, 0}, /* no answer is no success */
    };

    for (size_t i = 0; i < TEST_COUNT(table); i++) {
        const struct outcome_rules rules = outcome_rules_of(&conf);
        struct envelope e = {.arrived = clock_wall() - table[i].age_ms, .sender = STR("s@x.example")};
        struct delivery d = {.status = status_make(table[i].code, table[i].enhanced, "%s", table[i].code == 0 ? "" : "the reason")}, again;

        outcome_decide(&rules, &e, &d);
        if (check_number(d.outcome, table[i].outcome) + check_number(d.status.class, table[i].class) +
                check_number(d.status.subject, table[i].subject) + check_number(d.status.detail, table[i].detail) < 4)
            printf("#   row %zu\n", i);
        if (table[i].code != 0)
            check_has(d.status.text, "the reason");
        if (table[i].outcome == OUTCOME_FAILED && table[i].code < 500)
            check_has(d.status.text, "7d");
        /* It is decided once. */
        again = d;
        outcome_decide(&rules, &e, &again);
        check_text(again.status.text, d.status.text);
        check_number(again.outcome, d.outcome);
    }
}

/* Mail from the null sender has a lifetime of its own. */
static void nobody_waits_long_for_what_nobody_is_told_of(void)
{
    static const struct {
        const char *sender;
        int64_t age;
        enum outcome outcome;
    } table[] = {{"", 86400000 - 60000, OUTCOME_LATER}, {"", 86400000 + 60000, OUTCOME_FAILED}, {"s@x.example", 86400000 + 60000, OUTCOME_LATER}};
    const struct outcome_rules rules = outcome_rules_of(&conf);

    for (size_t i = 0; i < TEST_COUNT(table); i++) {
        struct envelope e = {.arrived = clock_wall() - table[i].age, .sender = str_of(table[i].sender)};
        struct delivery d = {.status = status_make(451, "4.4.1", "x"), .attempts = 1};

        outcome_decide(&rules, &e, &d);
        if (!check_number(d.outcome, table[i].outcome))
            printf("#   row %zu\n", i);
    }
}

/* The last attempt is made when the lifetime is over, not a whole wait later; one when a delay is to be told; greylists have waits of their
 * own. */
static void the_next_attempt_is_in_time(void)
{
    static const struct {
        int64_t age, attempts;
        unsigned notify;
        bool greylisted, warned;
        int64_t least, most; /* from now */
        bool warn;
    } table[] = {
        {0, 1, 0, false, false, 54000, 66000, false},
        {0, 1, 0, true, false, 108000, 132000, false},
        {7 * 86400000LL - 10000, 9, 0, false, false, 8000, 10000, false},
        {3600000 - 20000, 5, NOTIFY_DELAY, false, false, 18000, 20000, false},
        {3600000 - 20000, 5, 0, false, false, 860000, 1060000, false},
        {3600000 - 20000, 5, NOTIFY_DELAY, false, true, 860000, 1060000, false},
        {3600000 + 1000, 1, NOTIFY_DELAY, false, false, 54000, 66000, true},
        {3600000 + 1000, 1, NOTIFY_DELAY | NOTIFY_FAILURE, false, false, 54000, 66000, true},
        {3600000 + 1000, 1, NOTIFY_DELAY, false, true, 54000, 66000, false},
        {3600000 + 1000, 1, NOTIFY_FAILURE, false, false, 54000, 66000, false},
        {3600000 + 1000, 1, NOTIFY_NEVER, false, false, 54000, 66000, false},
    };
    struct conf telling = conf;
    struct outcome_rules rules;

    telling.bounce_enabled = true;
    telling.bounce_delay = BOUNCE_DELAY_ASKED;
    telling.bounce_delay_after = 3600000;
    rules = outcome_rules_of(&telling);
    for (size_t i = 0; i < TEST_COUNT(table); i++) {
        struct envelope e = {.arrived = clock_wall() - table[i].age, .sender = STR("s@x.example")};
        struct delivery d = {.status = status_make(451, "4.4.1", "x"), .attempts = table[i].attempts, .greylisted = table[i].greylisted,
                             .warned = table[i].warned, .recipient = {.notify = table[i].notify}};
        int64_t now = clock_wall();

        outcome_decide(&rules, &e, &d);
        if (check_number(d.outcome, OUTCOME_LATER) + check(d.next_due >= now + table[i].least) + check(d.next_due <= clock_wall() + table[i].most) +
                check_number(d.warn, table[i].warn) < 4)
            printf("#   row %zu: %" PRId64 "\n", i, d.next_due - now);
    }
}

/* What is put off for reasons of its hop is looked at again when its sender is to be told something. */
static void what_is_put_off_keeps_its_time(void)
{
    static const struct {
        const char *sender;
        unsigned notify;
        bool warned;
        int64_t due, expected; /* after the arrival */
    } table[] = {
        {"s@x.example", 0, false, 1000, 1000},
        {"s@x.example", 0, false, 30 * 86400000LL, 7 * 86400000LL},
        {"", 0, false, 30 * 86400000LL, 86400000},
        {"s@x.example", NOTIFY_DELAY, false, 30 * 86400000LL, 3600000},
        {"s@x.example", NOTIFY_DELAY, true, 30 * 86400000LL, 7 * 86400000LL},
    };
    struct conf telling = conf;

    telling.bounce_enabled = true;
    telling.bounce_delay = BOUNCE_DELAY_ASKED;
    telling.bounce_delay_after = 3600000;
    for (size_t i = 0; i < TEST_COUNT(table); i++) {
        struct envelope e = {.arrived = 1000000, .sender = str_of(table[i].sender)};
        struct delivery d = {.warned = table[i].warned, .recipient = {.notify = table[i].notify}};

        if (!check_number(outcome_not_after_word(&telling, &e, &d, e.arrived + table[i].due), e.arrived + table[i].expected))
            printf("#   row %zu\n", i);
    }
}

/* Who is told of delays: by the key, by NOTIFY, and never the null sender (RFC 3461 section 4.1). */
static void who_is_told_of_a_delay(void)
{
    static const struct {
        enum conf_bounce_delay key;
        unsigned notify;
        const char *sender;
        bool warn;
    } table[] = {
        {BOUNCE_DELAY_NONE, NOTIFY_DELAY, "s@x.example", false}, {BOUNCE_DELAY_ASKED, NOTIFY_DELAY, "s@x.example", true},
        {BOUNCE_DELAY_ASKED, 0, "s@x.example", false},           {BOUNCE_DELAY_ALL, 0, "s@x.example", true},
        {BOUNCE_DELAY_ALL, NOTIFY_FAILURE, "s@x.example", false}, {BOUNCE_DELAY_ALL, NOTIFY_NEVER, "s@x.example", false},
        {BOUNCE_DELAY_ALL, NOTIFY_DELAY, "", false},
    };

    for (size_t i = 0; i < TEST_COUNT(table); i++) {
        struct conf telling = conf;
        struct envelope e = {.arrived = clock_wall() - 5000, .sender = str_of(table[i].sender)};
        struct delivery d = {.recipient = {.notify = table[i].notify}};

        telling.bounce_enabled = true;
        telling.bounce_delay = table[i].key;
        telling.bounce_delay_after = 1000;
        if (!check_number(outcome_is_late(&telling, &e, &d), table[i].warn))
            printf("#   row %zu\n", i);
        telling.bounce_enabled = false;
        check(!outcome_is_late(&telling, &e, &d));
    }
}

static void outcomes_are_recorded(void)
{
    static const struct {
        int code;
        int64_t rows, state, attempts;
    } table[] = {{250, 0, 0, 0}, {450, 1, RECIPIENT_SCHEDULED, 1}, {550, 1, RECIPIENT_FAILED, 1}, {-1, 1, RECIPIENT_SCHEDULED, 0}};

    const struct outcome_rules rules = outcome_rules_of(&conf);

    for (size_t i = 0; i < TEST_COUNT(table); i++) {
        struct place place;
        struct queue q;
        struct claims c;
        struct letter l;
        struct claimed *m;
        struct db_query *query;
        char error[256];
        int64_t rows = 0, now;

        place_open(&place);
        check(queue_open(&q, place.folder, error, sizeof error) && claims_init(&c, &q, true));
        letter_open(&l, place.folder, "a@a.example", 10);
        check(letter_put(&q, &l));
        now = clock_wall();
        check_number(claims_load(&c, l.envelope.id, now, &m), 1);
        check(queue_begin(&q) && claims_mark(&c, m->deliveries, 1));
        if (table[i].code >= 0) {
            m->deliveries->status = status_make(table[i].code, "", "x");
            outcome_decide(&rules, &m->envelope, m->deliveries);
        }
        check(outcome_record(&c, m->deliveries) && queue_commit(&q));
        query = db_prepare(q.db, "SELECT state, attempts, due, owner FROM recipient");
        while (db_step(query)) {
            rows++;
            check_number(db_int(query, 0), table[i].state);
            check_number(db_int(query, 1), table[i].attempts);
            check(db_is_null(query, 3));
            if (table[i].code == 450)
                check(db_int(query, 2) >= now + 54000 && db_int(query, 2) <= clock_wall() + 66000);
        }
        check(db_finish(query));
        check_number(rows, table[i].rows);
        claimed_free(&m);
        letter_close(&l);
        queue_close(&q);
        place_close(&place);
    }
}

static void outcomes_are_logged_with_what_identifies_them(void)
{
    static const char *const words[] = {" event=deferred ", "session=0123456789abcdef", "queue=0123456789abcdef", "sender=s@x.example", "recipient=r@y.example",
                                        "host=mx.y.example[192.0.2.1]:25", "attempts=3", "reply=450", "status=4.2.1", "reason=\"Mailbox busy\""};
    const struct outcome_rules rules = outcome_rules_of(&conf);
    struct place place;
    char error[256];
    struct envelope e = {.id = 0x0123456789abcdef, .session = STR("0123456789abcdef"), .sender = STR("s@x.example"), .arrived = clock_wall()};
    struct delivery d = {.recipient = {.address = STR("r@y.example")}, .attempts = 3, .host = "mx.y.example[192.0.2.1]:25",
                         .status = status_make(450, "4.2.1", "Mailbox busy")};
    char line[4096] = "";
    FILE *file;

    place_open(&place);
    check(log_open(place.folder, -1, LOG_FORMAT_LOGFMT, false, "deliverd", error, sizeof error));
    outcome_decide(&rules, &e, &d);
    outcome_log(&e, &d);
    file = fopen(place_path(&place, "current.log"), "r");
    check(file != NULL && fgets(line, sizeof line, file) != NULL);
    for (size_t i = 0; i < TEST_COUNT(words); i++)
        check_has(line, words[i]);
    fclose(file);
    place_close(&place);
}

static const struct test_case cases[] = {
    TEST_CASE(the_first_digit_and_the_age_decide),
    TEST_CASE(nobody_waits_long_for_what_nobody_is_told_of),
    TEST_CASE(the_next_attempt_is_in_time), TEST_CASE(what_is_put_off_keeps_its_time),
    TEST_CASE(who_is_told_of_a_delay),
    TEST_CASE(outcomes_are_recorded),
    TEST_CASE(outcomes_are_logged_with_what_identifies_them),
};

int main(int argc, char **argv)
{
    return test_main(cases, TEST_COUNT(cases), argc, argv);
}

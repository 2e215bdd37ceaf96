#include "test.h"

#include "deliverd/outcome.h"

#include "letter.h"
#include "place.h"

static struct conf conf = {.deliverd_queue_lifetime = 7 * 86400000LL, .deliverd_retry_min = 60000, .deliverd_retry_max = 3600000};

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
        struct envelope e = {.arrived = clock_wall() - table[i].age_ms};
        struct delivery d = {.status = status_make(table[i].code, table[i].enhanced, "%s", table[i].code == 0 ? "" : "the reason")}, again;

        outcome_decide(&conf, &e, &d);
        if (check_number(d.outcome, table[i].outcome) + check_number(d.status.class, table[i].class) +
                check_number(d.status.subject, table[i].subject) + check_number(d.status.detail, table[i].detail) < 4)
            printf("#   row %zu\n", i);
        if (table[i].code != 0)
            check_has(d.status.text, "the reason");
        if (table[i].outcome == OUTCOME_FAILED && table[i].code < 500)
            check_has(d.status.text, "7d");
        /* It is decided once. */
        again = d;
        outcome_decide(&conf, &e, &again);
        check_text(again.status.text, d.status.text);
        check_number(again.outcome, d.outcome);
    }
}

static void outcomes_are_recorded(void)
{
    static const struct {
        int code;
        int64_t rows, state, attempts;
    } table[] = {{250, 0, 0, 0}, {450, 1, RECIPIENT_SCHEDULED, 1}, {550, 1, RECIPIENT_FAILED, 1}, {-1, 1, RECIPIENT_SCHEDULED, 0}};

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
        check(queue_open(&q, place.folder, error, sizeof error) && claims_init(&c, &q));
        letter_open(&l, place.folder, "a@a.example", 10);
        check(letter_put(&q, &l));
        now = clock_wall();
        check_number(claims_load(&c, l.envelope.id, now, &m), 1);
        check(queue_begin(&q) && claims_mark(&c, m->deliveries, 1));
        if (table[i].code >= 0) {
            m->deliveries->status = status_make(table[i].code, "", "x");
            outcome_decide(&conf, &m->envelope, m->deliveries);
        }
        check(outcome_record(&c, &conf, m->deliveries) && queue_commit(&q));
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
    struct place place;
    char error[256];
    struct envelope e = {.id = 0x0123456789abcdef, .session = STR("0123456789abcdef"), .sender = STR("s@x.example"), .arrived = clock_wall()};
    struct delivery d = {.recipient = {.address = STR("r@y.example")}, .attempts = 3, .host = "mx.y.example[192.0.2.1]:25",
                         .status = status_make(450, "4.2.1", "Mailbox busy")};
    char line[4096] = "";
    FILE *file;

    place_open(&place);
    check(log_open(place.folder, -1, LOG_FORMAT_LOGFMT, false, "deliverd", error, sizeof error));
    outcome_decide(&conf, &e, &d);
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
    TEST_CASE(outcomes_are_recorded),
    TEST_CASE(outcomes_are_logged_with_what_identifies_them),
};

int main(int argc, char **argv)
{
    return test_main(cases, TEST_COUNT(cases), argc, argv);
}

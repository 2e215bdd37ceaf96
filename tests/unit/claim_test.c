#include "test.h"

#include "queue/claim.h"

#include "letter.h"
#include "place.h"

#include <signal.h>
#include <sys/wait.h>

static struct place place;
static struct queue q;
static struct claims c;
static struct owner self;
static char error[512];

static void setup(void)
{
    place_open(&place);
    check(queue_open(&q, place.folder, error, sizeof error));
    check(claims_init(&c, &q, true));
    check(owner_open(&self, place.folder, error, sizeof error));
}

static void teardown(void)
{
    owner_close(&self);
    queue_close(&q);
    place_close(&place);
}

static int64_t put(const char *recipients[], size_t count, int64_t size)
{
    struct letter l;
    int64_t id;

    letter_open(&l, place.folder, NULL, size);
    for (size_t i = 0; i < count; i++)
        letter_recipient(&l, recipients[i]);
    check(letter_put(&q, &l));
    id = l.envelope.id;
    letter_close(&l);
    return id;
}

static int64_t put_one(const char *recipient)
{
    return put(&recipient, 1, 100);
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

static struct claimed *load(int64_t id)
{
    struct claimed *m = NULL;

    check_number(claims_load(&c, id, clock_wall(), &m), 1);
    return m;
}

/* Takes the first recipient of ID that is due, for OWNER. */
static void mark(int64_t id, int64_t owner)
{
    struct claimed *m = load(id);

    check(queue_begin(&q));
    check(claims_mark(&c, m->deliveries, owner));
    check(queue_commit(&q));
    claimed_free(&m);
}

static void domains_are_found_in_turn(void)
{
    static const char *const domains[] = {"a.example", "b.example", "c.example"};
    char domain[DOMAIN_SIZE] = "";
    int64_t due = 0;
    struct due dues[10];
    int64_t now;

    setup();
    check_number(claims_next_domain(&c, STR(""), domain, &due), 0);
    put_one("x@b.example");
    put_one("y@B.EXAMPLE");
    put_one("x@c.example");
    put_one("x@a.example");
    now = clock_wall();
    domain[0] = '\0';
    for (size_t i = 0; i < 3; i++) {
        check_number(claims_next_domain(&c, str_of(domain), domain, &due), 1);
        check_text(domain, domains[i]);
        check(due > now - 60000 && due <= now);
    }
    check_number(claims_next_domain(&c, str_of(domain), domain, &due), 0);
    check_number(claims_due(&c, "b.example", -1, now, dues, 10), 2);
    check_number(claims_due(&c, "b.example", -1, now, dues, 1), 1);
    check_number(claims_due(&c, "b.example", -1, now - 3600000, dues, 10), 0);
    check_number(claims_due(&c, "example", -1, now, dues, 10), 0);
    check_number(claims_due(&c, "%", -1, now, dues, 10), 0);
    teardown();
}

/* They share a column. */
static void what_mail_said_comes_back(void)
{
    setup();
    for (int i = 0; i < 8; i++) {
        struct claimed *m;
        struct letter l;

        letter_open(&l, place.folder, "a@a.example", 1);
        l.envelope.body = i % 2 == 1 ? BODY_8BITMIME : BODY_7BIT;
        l.envelope.auth = (i & 2) != 0;
        l.envelope.tls_optional = (i & 4) != 0;
        check(letter_put(&q, &l));
        m = load(l.envelope.id);
        if (m != NULL) {
            check_number(m->envelope.body, l.envelope.body);
            check_number(m->envelope.auth, l.envelope.auth);
            check_number(m->envelope.tls_optional, l.envelope.tls_optional);
        }
        claimed_free(&m);
        letter_close(&l);
    }
    teardown();
}

static void a_message_is_loaded_with_what_is_due(void)
{
    const char *recipients[] = {"a@a.example", "b@b.example", "\"c d\"@a.example"};
    struct claimed *m;
    int64_t id;

    setup();
    id = put(recipients, 3, 1000);
    m = load(id);
    if (m != NULL) {
        int count = 0;

        check_number(m->envelope.id, id);
        check_str(m->envelope.sender, STR("sender@example.org"));
        check_str(m->envelope.session, STR("0123456789abcdef"));
        check_number(m->size, 1000);
        check(m->content.length == 0);
        check(claims_load_content(&c, m));
        check(m->has_content && m->content.length == 1000 && m->content.data[999] == letter_octet(999));
        for (struct delivery *d = m->deliveries; d != NULL; d = d->next, count++) {
            check_number(d->message, id);
            check_number(d->recipient.number, count + 1);
            check_str(d->recipient.address, str_of(recipients[count]));
            check_number(d->attempts, 1);
            check_number(d->outcome, OUTCOME_OPEN);
        }
        check_number(count, 3);
    }
    claimed_free(&m);
    claimed_free(&m);
    check_number(claims_load(&c, id + 1, clock_wall(), &m), 0);
    check(m == NULL);
    check_number(claims_load(&c, id, clock_wall() - 3600000, &m), 0);
    teardown();
}

static void large_content_stays_where_it_is(void)
{
    static const int64_t sizes[] = {CLAIM_CONTENT_MAX - 1, CLAIM_CONTENT_MAX, CLAIM_CONTENT_MAX + 1};
    const char *recipient = "a@a.example";

    setup();
    for (size_t i = 0; i < TEST_COUNT(sizes); i++) {
        struct claimed *m = load(put(&recipient, 1, sizes[i]));

        check(m->has_content == (sizes[i] <= CLAIM_CONTENT_MAX));
        check(claims_load_content(&c, m));
        check_number(m->content.length, m->has_content ? sizes[i] : 0);
        check_number(m->size, sizes[i]);
        claimed_free(&m);
    }
    teardown();
}

static void what_is_in_progress_is_not_due(void)
{
    const char *recipients[] = {"a@a.example", "b@a.example"};
    struct due dues[10];
    struct claimed *m;
    int64_t id;

    setup();
    id = put(recipients, 2, 10);
    mark(id, self.number);
    check_number(claims_due(&c, "a.example", -1, clock_wall(), dues, 10), 1);
    check_number(dues[0].number, 2);
    m = load(id);
    check(m != NULL && m->deliveries->recipient.number == 2 && m->deliveries->next == NULL);
    check_number(number_of("SELECT state FROM recipient WHERE number = 1"), RECIPIENT_IN_PROGRESS);
    check_number(number_of("SELECT attempts FROM recipient WHERE number = 1"), 1);
    claimed_free(&m);
    teardown();
}

static void the_last_recipient_takes_the_message_along(void)
{
    const char *recipients[] = {"a@a.example", "b@a.example"};
    struct claimed *m;
    int64_t id;

    setup();
    id = put(recipients, 2, 10);
    put_one("other@a.example");
    m = load(id);
    check(queue_begin(&q));
    check(claims_mark(&c, m->deliveries, self.number) && claims_mark(&c, m->deliveries->next, self.number));
    check(claims_delivered(&c, m->deliveries, clock_wall()));
    check(queue_commit(&q));
    check_number(number_of("SELECT count(*) FROM message"), 2);
    check_number(number_of("SELECT count(*) FROM recipient"), 2);
    check(queue_begin(&q));
    check(claims_delivered(&c, m->deliveries->next, clock_wall()));
    check(queue_commit(&q));
    check_number(number_of("SELECT count(*) FROM message"), 1);
    check_number(number_of("SELECT count(*) FROM recipient"), 1);
    claimed_free(&m);
    check_number(claims_load(&c, id, clock_wall(), &m), 0);
    teardown();
}

static void outcomes_are_kept(void)
{
    const char *recipients[] = {"a@a.example", "b@a.example", "c@a.example"};
    struct claimed *m;
    struct delivery *d;
    int64_t id, now = clock_wall();

    setup();
    id = put(recipients, 3, 10);
    m = load(id);
    check(queue_begin(&q));
    for (d = m->deliveries; d != NULL; d = d->next)
        check(claims_mark(&c, d, self.number));
    d = m->deliveries;
    d->status = status_make(450, "4.2.1", "Mailbox busy");
    snprintf(d->host, sizeof d->host, "mx.a.example[192.0.2.1]:25");
    check(claims_later(&c, d, now, now + 60000));
    d = d->next;
    d->status = status_make(550, "5.1.1", "No such user");
    check(claims_failed(&c, d, now));
    check(claims_give_back(&c, d->next));
    check(queue_commit(&q));
    check_number(number_of("SELECT count(*) FROM recipient WHERE owner IS NOT NULL"), 0);
    check_number(number_of("SELECT count(*) FROM recipient WHERE number = 1 AND state = 1 AND attempts = 1 AND code = 450 AND enhanced = '4.2.1' AND "
                           "reason LIKE '%Mailbox busy%' AND host = 'mx.a.example[192.0.2.1]:25'"),
                 1);
    check_number(number_of("SELECT due FROM recipient WHERE number = 1"), now + 60000);
    check_number(number_of("SELECT tried FROM recipient WHERE number = 1"), now);
    check_number(number_of("SELECT count(*) FROM recipient WHERE number = 2 AND state = 4 AND attempts = 1 AND code = 550 AND host IS NULL"), 1);
    /* An attempt that did not take place counts for nothing. */
    check_number(number_of("SELECT count(*) FROM recipient WHERE number = 3 AND state = 1 AND attempts = 0"), 1);
    claimed_free(&m);
    /* Of the three only the last is due now; later the first is too. */
    m = load(id);
    check(m != NULL && m->deliveries->recipient.number == 3 && m->deliveries->next == NULL);
    claimed_free(&m);
    check_number(claims_load(&c, id, now + 60000, &m), 1);
    check(m != NULL && m->deliveries->next != NULL && m->deliveries->attempts == 2);
    claimed_free(&m);
    teardown();
}

static void recover(int64_t now, int64_t expected)
{
    int64_t recovered = -1;

    check(queue_begin(&q));
    check(claims_recover(&c, &self, now, 900000, &recovered));
    check(queue_commit(&q));
    check_number(recovered, expected);
}

/* Takes the recipient as a process that then dies. */
static void crash_with(int64_t id)
{
    int64_t number = 0;
    int tell[2];
    pid_t pid;

    check(pipe(tell) == 0);
    fflush(stdout);
    pid = fork();
    if (pid == 0) {
        struct owner o;

        if (owner_open(&o, place.folder, error, sizeof error))
            (void)!write(tell[1], &o.number, sizeof o.number);
        for (;;)
            pause();
    }
    check(read(tell[0], &number, sizeof number) == sizeof number);
    check(db_run(q.db, "UPDATE recipient SET due = 0 WHERE state = 1"));
    mark(id, number);
    recover(clock_wall(), 0); /* it lives */
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    close(tell[0]);
    close(tell[1]);
}

/* Due at once, after the shortest wait, held. */
static void three_crashes_hold_a_recipient(void)
{
    int64_t id, now = clock_wall();

    setup();
    id = put_one("a@a.example");
    crash_with(id);
    recover(now, 1);
    check_number(number_of("SELECT count(*) FROM recipient WHERE state = 1 AND owner IS NULL AND attempts = 1 AND crashes = 1"), 1);
    check_number(number_of("SELECT due FROM recipient"), now);
    crash_with(id);
    recover(now, 1);
    check_number(number_of("SELECT count(*) FROM recipient WHERE state = 1 AND attempts = 2 AND crashes = 2"), 1);
    check_number(number_of("SELECT due FROM recipient"), now + 900000);
    crash_with(id);
    recover(now, 1);
    check_number(number_of("SELECT count(*) FROM recipient WHERE state = 3 AND owner IS NULL AND attempts = 3 AND crashes = 3"), 1);
    recover(now, 0);
    teardown();
}

static void what_the_living_hold_is_theirs(void)
{
    struct owner other;
    int64_t first, second, recovered;

    setup();
    first = put_one("a@a.example");
    second = put_one("b@a.example");
    check(owner_open(&other, place.folder, error, sizeof error));
    mark(first, self.number);
    check(queue_begin(&q));
    check(claims_recover(&c, &self, clock_wall(), 1000, &recovered));
    check(recovered == 0 && owner_has_company(&self)); /* company is who lives, not who has something */
    check(queue_commit(&q));
    mark(second, other.number);
    check(queue_begin(&q));
    check(claims_recover(&c, &self, clock_wall(), 1000, &recovered));
    check(recovered == 0 && owner_has_company(&self));
    check(queue_commit(&q));
    owner_close(&other);
    check(queue_begin(&q));
    check(claims_recover(&c, &self, clock_wall(), 1000, &recovered));
    check(recovered == 1 && !owner_has_company(&self));
    check(queue_commit(&q));
    check_number(number_of("SELECT state FROM recipient WHERE message = (SELECT min(id) FROM message)"), RECIPIENT_IN_PROGRESS);
    teardown();
}

static void held_and_failed_are_not_claimed(void)
{
    char domain[DOMAIN_SIZE];
    int64_t due, id;
    struct claimed *m;
    struct due dues[4];

    setup();
    for (int state = RECIPIENT_HELD; state <= RECIPIENT_FAILED; state++) {
        char sql[64];

        id = put_one("a@a.example");
        snprintf(sql, sizeof sql, "UPDATE recipient SET state = %d WHERE state = 1", state);
        check(db_run(q.db, sql));
        check_number(claims_next_domain(&c, STR(""), domain, &due), 0);
        check_number(claims_due(&c, "a.example", -1, clock_wall(), dues, 4), 0);
        check_number(claims_load(&c, id, clock_wall(), &m), 0);
    }
    teardown();
}

static void what_is_due_too_far_ahead_is_found_and_brought_forward(void)
{
    const int64_t now = clock_wall();

    setup();
    put_one("one@example.com");
    put_one("two@example.com");
    check_number(claims_are_ahead(&c, now + 60000), 0);
    check(db_run(q.db, "UPDATE recipient SET due = due + 90000000 WHERE message = (SELECT max(message) FROM recipient)"));
    check_number(claims_are_ahead(&c, now + 60000), 1);
    check(claims_bring_forward(&c, now, now + 60000));
    check_number(claims_are_ahead(&c, now + 60000), 0);
    check(db_run(q.db, "UPDATE recipient SET due = due + 90000000, state = 3"));
    check_number(claims_are_ahead(&c, now + 60000), 0); /* nobody waits for that time */
    teardown();
}

static const struct test_case cases[] = {
    TEST_CASE(domains_are_found_in_turn),
    TEST_CASE(what_mail_said_comes_back),
    TEST_CASE(a_message_is_loaded_with_what_is_due),
    TEST_CASE(large_content_stays_where_it_is),
    TEST_CASE(what_is_in_progress_is_not_due),
    TEST_CASE(the_last_recipient_takes_the_message_along),
    TEST_CASE(outcomes_are_kept),
    TEST_CASE(three_crashes_hold_a_recipient),
    TEST_CASE(what_the_living_hold_is_theirs),
    TEST_CASE(held_and_failed_are_not_claimed),
    TEST_CASE(what_is_due_too_far_ahead_is_found_and_brought_forward),
};

int main(int argc, char **argv)
{
    return test_main(cases, TEST_COUNT(cases), argc, argv);
}

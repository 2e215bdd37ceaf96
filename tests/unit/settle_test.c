#include "test.h"

#include "queue/claim.h"

#include "letter.h"
#include "place.h"

static struct place place;
static struct queue q;
static struct claims c;
static char error[512];

static void setup(bool history)
{
    place_open(&place);
    check(queue_open(&q, place.folder, error, sizeof error));
    check(claims_init(&c, &q, history));
}

static void teardown(void)
{
    queue_close(&q);
    place_close(&place);
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

/* A message to one recipient, claimed and marked. */
static struct claimed *claim_one(void)
{
    struct letter l;
    struct claimed *m = NULL;

    letter_open(&l, place.folder, "r@a.example", 10);
    l.envelope.recipients->taken = STR("the client is a relayip");
    l.envelope.via = STR("ESMTPS using TLSv1.3");
    check(letter_put(&q, &l));
    check_number(claims_load(&c, l.envelope.id, clock_wall(), &m), 1);
    letter_close(&l);
    check(queue_begin(&q) && claims_mark(&c, m->deliveries, 1) && queue_commit(&q));
    m->deliveries->took = 1234;
    snprintf(m->deliveries->host, sizeof m->deliveries->host, "mx.a.example[192.0.2.1]:25");
    return m;
}

enum ending { DELIVERED, LATER, FAILED, GIVEN_BACK };

static void end(struct delivery *d, enum ending ending)
{
    int64_t now = clock_wall();
    bool ok = queue_begin(&q);

    d->status = ending == DELIVERED ? status_make(250, "2.0.0", "taken") : ending == LATER ? status_make(451, "4.7.1", "come again") :
                                                                                             status_make(550, "5.1.1", "nobody");
    d->status.from_peer = true;
    ok = ok && (ending == DELIVERED ? claims_delivered(&c, d, now) : ending == LATER ? claims_later(&c, d, now, now + 1000) :
                ending == FAILED ? claims_failed(&c, d, now) : claims_give_back(&c, d));
    check(ok && queue_commit(&q));
}

/* What an administrator wants of a recipient that is being delivered is done when its attempt ends, and once. */
static void wishes_are_heeded(void)
{
    static const struct {
        enum recipient_wish wish;
        enum ending ending;
        int64_t state; /* -1: it is gone */
    } table[] = {
        {WISH_NOTHING, LATER, RECIPIENT_SCHEDULED},   {WISH_HOLD, LATER, RECIPIENT_HELD},         {WISH_DISCARD, LATER, RECIPIENT_DISCARDED},
        {WISH_BOUNCE, LATER, RECIPIENT_FAILED},       {WISH_NOTHING, FAILED, RECIPIENT_FAILED},   {WISH_HOLD, FAILED, RECIPIENT_HELD},
        {WISH_DISCARD, FAILED, RECIPIENT_DISCARDED},  {WISH_BOUNCE, FAILED, RECIPIENT_FAILED},    {WISH_HOLD, DELIVERED, -1},
        {WISH_DISCARD, DELIVERED, -1},                {WISH_BOUNCE, DELIVERED, -1},               {WISH_NOTHING, GIVEN_BACK, RECIPIENT_SCHEDULED},
        {WISH_HOLD, GIVEN_BACK, RECIPIENT_HELD},      {WISH_DISCARD, GIVEN_BACK, RECIPIENT_DISCARDED}, {WISH_BOUNCE, GIVEN_BACK, RECIPIENT_FAILED},
    };

    for (size_t i = 0; i < TEST_COUNT(table); i++) {
        struct claimed *m;
        char sql[64];

        setup(true);
        m = claim_one();
        snprintf(sql, sizeof sql, "UPDATE recipient SET wish = %d", table[i].wish);
        check(db_run(q.db, sql));
        end(m->deliveries, table[i].ending);
        if (check_number(number_of("SELECT state FROM recipient"), table[i].state) + check_number(number_of("SELECT count(*) FROM recipient WHERE wish NOT IN (0, 3)"), 0) < 2)
            printf("#   row %zu\n", i);
        check_number(number_of("SELECT count(*) FROM recipient WHERE owner IS NOT NULL"), 0);
        /* What failed by itself keeps its own words. */
        if (table[i].wish == WISH_BOUNCE && (table[i].ending == LATER || table[i].ending == GIVEN_BACK))
            check_number(number_of("SELECT count(*) FROM recipient WHERE code = 554 AND enhanced = '5.0.0' AND reason = 'bounced by the administrator' AND "
                                   "from_peer = 0"),
                         1);
        claimed_free(&m);
        teardown();
    }
}

/* Whoever dies with the recipient in hand, and however often: what was promised to an administrator is done. */
static void wishes_survive_crashes(void)
{
    static const struct {
        enum recipient_wish wish;
        int crashes;
        int64_t state;
    } table[] = {{WISH_NOTHING, 0, RECIPIENT_SCHEDULED}, {WISH_NOTHING, 2, RECIPIENT_HELD}, {WISH_HOLD, 0, RECIPIENT_HELD},
                 {WISH_DISCARD, 0, RECIPIENT_DISCARDED}, {WISH_DISCARD, 2, RECIPIENT_DISCARDED}, {WISH_BOUNCE, 0, RECIPIENT_FAILED},
                 {WISH_BOUNCE, 2, RECIPIENT_FAILED}};

    for (size_t i = 0; i < TEST_COUNT(table); i++) {
        struct owner self;
        struct claimed *m;
        int64_t recovered;
        char sql[128];

        setup(true);
        m = claim_one(); /* for owner 1, whom nobody is */
        check(owner_open(&self, place.folder, error, sizeof error));
        snprintf(sql, sizeof sql, "UPDATE recipient SET wish = %d, crashes = %d, owner = %lld", table[i].wish, table[i].crashes, (long long)self.number + 1);
        check(db_run(q.db, sql) && queue_begin(&q) && claims_recover(&c, &self, clock_wall(), 1000, &recovered) && queue_commit(&q));
        if (check_number(number_of("SELECT state FROM recipient"), table[i].state) + check_number(recovered, 1) < 2)
            printf("#   row %zu\n", i);
        check_number(number_of("SELECT reason = 'bounced by the administrator' FROM recipient"), table[i].wish == WISH_BOUNCE);
        owner_close(&self);
        claimed_free(&m);
        teardown();
    }
}

static void attempts_are_remembered(void)
{
    struct claimed *m;

    setup(true);
    m = claim_one();
    end(m->deliveries, LATER);
    check_number(number_of("SELECT count(*) FROM history WHERE event = 'deferred' AND recipient = 'r@a.example' AND attempt = 1 AND took = 1234 AND "
                           "host = 'mx.a.example[192.0.2.1]:25' AND code = 451 AND enhanced = '4.7.1' AND reason LIKE '%come again' AND taken IS NULL"),
                 1);
    check_number(number_of("SELECT count(*) FROM recipient WHERE from_peer = 1 AND code = 451 AND enhanced = '4.7.1' AND reason LIKE '%come again'"), 1);
    end(m->deliveries, DELIVERED);
    check_number(number_of("SELECT count(*) FROM history WHERE event = 'delivered' AND taken = 'the client is a relayip'"), 1);
    check_number(number_of("SELECT count(*) FROM history"), 2);
    check_number(number_of("SELECT count(*) FROM message"), 0);
    check_number(number_of("SELECT count(*) FROM past WHERE sender = 'sender@example.org' AND via = 'ESMTPS using TLSv1.3' AND size = 10"), 1);
    check_number(number_of("SELECT count(*) FROM past WHERE id = (SELECT message FROM history)"), 1);
    claimed_free(&m);
    teardown();
}

static void nothing_is_remembered_where_no_history_is_kept(void)
{
    struct claimed *m;

    setup(false);
    m = claim_one();
    end(m->deliveries, LATER);
    end(m->deliveries, DELIVERED);
    check_number(number_of("SELECT count(*) FROM history"), 0);
    check_number(number_of("SELECT count(*) FROM past"), 0);
    check_number(number_of("SELECT count(*) FROM message"), 0);
    claimed_free(&m);
    teardown();
}

/* RFC 3461 section 5.2.2: it stays until the sender has been told. */
static void what_was_relayed_stays_for_its_report(void)
{
    struct claimed *m;

    setup(true);
    m = claim_one();
    m->deliveries->relayed = true;
    end(m->deliveries, DELIVERED);
    check_number(number_of("SELECT state FROM recipient"), RECIPIENT_RELAYED);
    check_number(number_of("SELECT count(*) FROM message"), 1);
    check_number(number_of("SELECT count(*) FROM recipient WHERE code = 250 AND host = 'mx.a.example[192.0.2.1]:25'"), 1);
    claimed_free(&m);
    teardown();
}

/* A delay is marked once, and not forgotten by the next attempt. */
static void delays_are_marked(void)
{
    struct claimed *m;

    setup(true);
    m = claim_one();
    m->deliveries->warn = true;
    end(m->deliveries, LATER);
    check_number(number_of("SELECT warn FROM recipient"), 1);
    check(db_run(q.db, "UPDATE recipient SET warn = 2"));
    m->deliveries->warn = false;
    end(m->deliveries, LATER);
    check_number(number_of("SELECT warn FROM recipient"), 2);
    claimed_free(&m);
    check_number(number_of("SELECT count(*) FROM history"), 2);
    teardown();
}

static void what_is_put_off_costs_no_attempt(void)
{
    const struct status why = status_make(451, "4.4.1", "The next hop is down");
    struct claimed *m = NULL;
    struct letter l;
    int64_t due = clock_wall() + 5000;

    setup(true);
    letter_open(&l, place.folder, "r@a.example", 10);
    check(letter_put(&q, &l));
    check_number(claims_load(&c, l.envelope.id, clock_wall(), &m), 1);
    check(queue_begin(&q) && claims_postpone(&c, m->deliveries, due, &why) && queue_commit(&q));
    check_number(number_of("SELECT due FROM recipient WHERE state = 1 AND attempts = 0 AND code = 451 AND enhanced = '4.4.1' AND reason LIKE '%is down'"), due);
    check_number(number_of("SELECT count(*) FROM history"), 0);
    letter_close(&l);
    claimed_free(&m);
    teardown();
}

static void put_from(const char *sender, const char *recipient)
{
    struct letter l;

    letter_open(&l, place.folder, recipient, 10);
    l.envelope.sender = str_of(sender);
    check(letter_put(&q, &l));
    letter_close(&l);
}

/* All mail of a sender is one flow, whatever its destinations. */
static void flows_are_found_in_turn(void)
{
    struct due dues[8];
    char domain[DOMAIN_SIZE] = "";
    int64_t flow = -1, due, found[4], now;
    int count = 0, domains = 0;

    setup(true);
    put_from("a@x.example", "1@a.example");
    put_from("a@x.example", "2@b.example");
    put_from("b@x.example", "3@a.example");
    now = clock_wall();
    while (count < 4 && claims_next_flow(&c, flow, &flow) == 1)
        found[count++] = flow;
    check_number(count, 2);
    for (int i = 0; i < 2; i++)
        for (domain[0] = '\0'; claims_next_of_flow(&c, found[i], str_of(domain), domain, &due) == 1; domains++)
            check_number(claims_due(&c, domain, found[i], now, dues, 8), 1);
    check_number(domains, 3);
    check_number(claims_due(&c, "a.example", -1, now, dues, 8), 2);
    check_number(claims_due(&c, "a.example", found[0], now - 3600000, dues, 8), 0);
    check_number(claims_due_first(&c, now, dues, 8), 3);
    check_number(claims_due_first(&c, now, dues, 2), 2);
    check_number(claims_due_first(&c, now - 3600000, dues, 2), 0);
    check_number(claims_next_due(&c, now, &due), 0);
    check_number(claims_next_due(&c, now - 3600000, &due), 1);
    check(due > now - 3600000 && due <= now);
    teardown();
}

/* SQLite keeps anything in any column: what the program did not write is held, and not looked for for ever. */
static void damaged_rows_are_held(void)
{
    static const char *const damages[] = {
        "domain = x'7a7a'", "domain = randomblob(600)", "domain = ''", "domain = printf('%0300d', 1)", "domain = 'a' || char(0) || 'b'", "flow = 'abc'",
        "flow = 1.5", "flow = -1", "due = 'soon'",
    };

    for (size_t i = 0; i < TEST_COUNT(damages); i++) {
        char sql[128];

        setup(true);
        put_from("a@x.example", "1@a.example");
        put_from("a@x.example", "2@b.example");
        snprintf(sql, sizeof sql, "UPDATE recipient SET %s WHERE address = '2@b.example'", damages[i]);
        check(db_run(q.db, sql) && claims_hold_damaged(&c));
        if (check_number(number_of("SELECT count(*) FROM recipient WHERE state = 3 AND address = '2@b.example'"), 1) +
                check_number(number_of("SELECT count(*) FROM recipient WHERE state = 1 AND address = '1@a.example'"), 1) < 2)
            printf("#   %s\n", damages[i]);
        teardown();
    }
}

/* Numbers that would overflow what is reckoned with them. */
static void numbers_of_damaged_rows_are_bounded(void)
{
    static const char *const damages[] = {"UPDATE recipient SET attempts = -2000000000", "UPDATE recipient SET attempts = 9223372036854775807",
                                          "UPDATE message SET arrived = 9223372036854775807", "UPDATE message SET arrived = -1", "UPDATE message SET kind = -9"};

    for (size_t i = 0; i < TEST_COUNT(damages); i++) {
        struct claimed *m = NULL;
        int64_t id;

        setup(true);
        put_from("a@x.example", "1@a.example");
        id = number_of("SELECT id FROM message");
        check(db_run(q.db, damages[i]));
        if (check_number(claims_load(&c, id, clock_wall(), &m), 1)) {
            check(m->deliveries->attempts >= 1 && m->deliveries->attempts < 10000000);
            check(m->envelope.arrived >= 0 && m->envelope.arrived < clock_wall() + 2 * 86400000LL);
            check_number(m->envelope.kind, MESSAGE_MAIL);
        }
        claimed_free(&m);
        teardown();
    }
}

/* What the session refused is part of a message's story. */
static void refusals_are_remembered(void)
{
    const struct status why = status_make(554, "5.7.1", "<x@y.example>: Relay access denied.");
    struct letter l;

    setup(true);
    letter_open(&l, place.folder, "r@a.example", 10);
    for (int i = 0; i < ENVELOPE_REFUSALS_MAX + 5; i++)
        envelope_refuse(&l.envelope, STR("x@y.example"), &why);
    check(letter_put(&q, &l));
    check_number(number_of("SELECT count(*) FROM history WHERE event = 'refused' AND recipient = 'x@y.example' AND code = 554 AND enhanced = '5.7.1' AND "
                           "reason LIKE '%Relay access denied.'"),
                 ENVELOPE_REFUSALS_MAX);
    letter_close(&l);
    teardown();
}

static const struct test_case cases[] = {
    TEST_CASE(wishes_are_heeded),
    TEST_CASE(wishes_survive_crashes),
    TEST_CASE(attempts_are_remembered),
    TEST_CASE(nothing_is_remembered_where_no_history_is_kept),
    TEST_CASE(what_was_relayed_stays_for_its_report),
    TEST_CASE(delays_are_marked),
    TEST_CASE(what_is_put_off_costs_no_attempt),
    TEST_CASE(flows_are_found_in_turn),
    TEST_CASE(damaged_rows_are_held),
    TEST_CASE(numbers_of_damaged_rows_are_bounded),
    TEST_CASE(refusals_are_remembered),
};

int main(int argc, char **argv)
{
    return test_main(cases, TEST_COUNT(cases), argc, argv);
}

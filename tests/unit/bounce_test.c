#include "test.h"

#include "report/bounce.h"

#include "letter.h"
#include "place.h"

static struct place place;
static struct queue q;
static struct over o;
static struct conf conf;
static const struct bounce_means means = {&conf, NULL};
static char error[512];

static void setup(void)
{
    place_open(&place);
    conf = (struct conf){.me = "gate.example",
                         .tempdir = place.folder,
                         .bounce_enabled = true,
                         .bounce_template = "",
                         .bounce_size = 50 << 10,
                         .bounce_postmaster = "",
                         .bounce_delay = BOUNCE_DELAY_ASKED,
                         .deliverd_queue_lifetime = 5 * 86400000LL};
    if (!check(queue_open(&q, place.folder, error, sizeof error)))
        printf("# %s\n", error);
    check(over_init(&o, &q, true, true));
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

/* What is put: a message from SENDER to COUNT recipients r1@a.example…, of SIZE octets with a header in front. */
static int64_t put(const char *sender, int count, int64_t size)
{
    static const struct str header = {"Subject: the original\r\n\r\n", 25};
    struct letter l;
    int64_t id;

    letter_open(&l, place.folder, NULL, 0);
    l.envelope.sender = str_of(sender);
    l.envelope.envid = STR("QQ+3D1");
    for (int i = 1; i <= count; i++) {
        char address[32];

        snprintf(address, sizeof address, "r%d@a.example", i);
        letter_recipient(&l, address);
    }
    body_append(&l.body, header);
    for (int64_t at = (int64_t)header.length; at < size; at++)
        body_append(&l.body, STR("x"));
    check(letter_put(&q, &l));
    id = l.envelope.id;
    letter_close(&l);
    return id;
}

static void set(int64_t id, int number, const char *what)
{
    char sql[512];

    snprintf(sql, sizeof sql, "UPDATE recipient SET %s WHERE message = %lld AND number = %d", what, (long long)id, number);
    check(db_run(q.db, sql));
}

/* A message to one recipient, who is like WHAT. */
static int64_t put_one(const char *sender, const char *what)
{
    int64_t id = put(sender, 1, 100);

    set(id, 1, what);
    return id;
}

static struct bounce_result settle(int64_t id)
{
    struct bounce_result result;

    check(queue_begin(&q));
    check(bounce_settle(&o, &means, id, &result));
    check(queue_commit(&q));
    return result;
}

/* The report on ID holds, or does not hold, TEXT. */
static bool says(const struct bounce_result *r, const char *text)
{
    struct status why = {0};
    struct body body;
    char scratch[BODY_PIECE];
    struct buf all = {0};
    bool found;

    body_init(&body, place.folder);
    check(r->report != 0 && queue_read_content(&q, r->report, &body, &why));
    for (int64_t at = 0; at < body.size;) {
        struct str piece = body_piece(&body, at, scratch);

        buf_add(&all, piece);
        at += (int64_t)piece.length;
    }
    found = str_contains(buf_str(&all), str_of(text));
    buf_done(&all);
    body_done(&body);
    return found;
}

static void a_failure_is_reported(void)
{
    struct bounce_result r;
    char sql[512];
    int64_t id;

    setup();
    id = put_one("Sender@Org.example", "state = 4, code = 550, enhanced = '5.1.1', reason = 'No such user', tried = 1000");
    r = settle(id);
    check(r.report > id && r.told == 1 && r.removed == 1 && r.dropped == 0 && r.held == NULL);
    check_str(r.session, STR("0123456789abcdef"));
    check(says(&r, "Action: failed\r\n") && says(&r, "r1@a.example") && says(&r, "Subject: the original"));
    check_number(number_of("SELECT count(*) FROM message"), 1);
    snprintf(sql, sizeof sql,
             "SELECT count(*) FROM message m JOIN recipient r ON r.message = m.id WHERE m.id = %lld AND m.kind = 1 AND m.sender = '' AND m.sender_host = '' "
             "AND m.session = '0123456789abcdef' AND m.client = 'local' AND m.helo = 'gate.example' AND m.user IS NULL AND m.envid IS NULL AND m.ret = 0 "
             "AND m.body = 0 AND m.smtputf8 = 0 AND r.address = 'Sender@Org.example' AND r.domain = 'org.example' AND r.notify = 1 AND r.state = 1 AND "
             "r.taken = 'report on %016llx'",
             (long long)r.report, (long long)id);
    check_number(number_of(sql), 1);
    snprintf(sql, sizeof sql, "SELECT count(*) FROM history WHERE message = %lld AND event = 'reported' AND reason = '%016llx'", (long long)id,
             (long long)r.report);
    check_number(number_of(sql), 1);
    check_number(number_of("SELECT id FROM past"), id);
    bounce_done(&r);
    /* The second to come finds nothing left. */
    r = settle(id);
    check(r.report == 0 && r.told == 0 && r.removed == 0 && r.held == NULL);
    check_number(number_of("SELECT count(*) FROM message"), 1);
    bounce_done(&r);
    teardown();
}

/* RFC 3461 section 4.1 and 5.2; N for NOTIFY. */
static void notify_says_what_is_told(void)
{
    enum { NOTHING = 0, FAILED = 4, DELIVERED = 5, RELAYED = 6, DELAYED = 1 };
    enum { N_NEVER = NOTIFY_NEVER, N_SUCCESS = NOTIFY_SUCCESS, N_FAILURE = NOTIFY_FAILURE, N_DELAY = NOTIFY_DELAY, N_ALL = 14 };
    static const struct {
        unsigned notify;
        int state;
        enum conf_bounce_delay delay;
        bool told, dropped;
    } rows[] = {
        {0, FAILED, BOUNCE_DELAY_NONE, true, false},
        {N_NEVER, FAILED, BOUNCE_DELAY_ALL, false, true},
        {N_SUCCESS, FAILED, BOUNCE_DELAY_ALL, false, true},
        {N_DELAY, FAILED, BOUNCE_DELAY_ALL, false, true},
        {N_FAILURE, FAILED, BOUNCE_DELAY_ALL, true, false},
        {N_ALL, FAILED, BOUNCE_DELAY_NONE, true, false},
        {N_NEVER | N_FAILURE, FAILED, BOUNCE_DELAY_NONE, false, true},
        {0, DELIVERED, BOUNCE_DELAY_ALL, false, false},
        {N_SUCCESS, DELIVERED, BOUNCE_DELAY_NONE, true, false},
        {N_FAILURE | N_DELAY, DELIVERED, BOUNCE_DELAY_ALL, false, false},
        {N_NEVER, DELIVERED, BOUNCE_DELAY_ALL, false, false},
        {0, RELAYED, BOUNCE_DELAY_ALL, false, false},
        {N_SUCCESS, RELAYED, BOUNCE_DELAY_NONE, true, false},
        {N_ALL, RELAYED, BOUNCE_DELAY_NONE, true, false},
        {N_FAILURE, RELAYED, BOUNCE_DELAY_ALL, false, false},
        {0, DELAYED, BOUNCE_DELAY_NONE, false, false},
        {0, DELAYED, BOUNCE_DELAY_ASKED, false, false},
        {0, DELAYED, BOUNCE_DELAY_ALL, true, false},
        {N_DELAY, DELAYED, BOUNCE_DELAY_NONE, false, false},
        {N_DELAY, DELAYED, BOUNCE_DELAY_ASKED, true, false},
        {N_DELAY, DELAYED, BOUNCE_DELAY_ALL, true, false},
        {N_ALL, DELAYED, BOUNCE_DELAY_ASKED, true, false},
        {N_FAILURE | N_SUCCESS, DELAYED, BOUNCE_DELAY_ALL, false, false},
        {N_NEVER, DELAYED, BOUNCE_DELAY_ALL, false, false},
    };
    static const char *const actions[] = {[FAILED] = "Action: failed\r\n", [DELIVERED] = "Action: delivered\r\n", [RELAYED] = "Action: relayed\r\n",
                                          [DELAYED] = "Action: delayed\r\n"};

    for (size_t i = 0; i < TEST_COUNT(rows); i++) {
        struct bounce_result r;
        char what[64];
        int64_t id;
        bool ok;

        setup();
        conf.bounce_delay = rows[i].delay;
        snprintf(what, sizeof what, "notify = %u, state = %d, warn = 1", rows[i].notify, rows[i].state);
        id = put_one("a@b.example", what);
        r = settle(id);
        ok = (r.report != 0) == rows[i].told && r.told == rows[i].told && r.dropped == rows[i].dropped &&
             r.removed == (rows[i].state != DELAYED) && (!rows[i].told || says(&r, actions[rows[i].state])) &&
             number_of("SELECT count(*) FROM recipient WHERE warn = 2 AND state = 1") == (rows[i].state == DELAYED);
        if (!check(ok))
            printf("# row %zu\n", i);
        check(r.drops == NULL || r.drops->expected);
        bounce_done(&r);
        teardown();
    }
}

static void one_report_tells_of_all(void)
{
    struct bounce_result r;
    int64_t id;

    setup();
    id = put("a@b.example", 8, 100);
    set(id, 1, "state = 4, reason = 'first'");
    set(id, 2, "state = 4, notify = 1");
    set(id, 3, "state = 1, warn = 1, notify = 8");
    set(id, 4, "state = 6, notify = 2");
    set(id, 5, "state = 7");
    set(id, 6, "state = 1");
    set(id, 7, "state = 4");
    set(id, 8, "state = 3");
    r = settle(id);
    check_number(r.told, 4);
    check_number(r.removed, 5);
    check_number(r.dropped, 1);
    check(r.drops != NULL && r.drops->next == NULL);
    check_str(r.drops->address, STR("r2@a.example"));
    check(says(&r, "r1@a.example") && says(&r, "r3@a.example") && says(&r, "r4@a.example") && says(&r, "r7@a.example"));
    check(!says(&r, "r2@a.example") && !says(&r, "r5@a.example") && !says(&r, "r6@a.example") && !says(&r, "r8@a.example"));
    check(says(&r, "Action: failed") && says(&r, "Action: delayed") && says(&r, "Action: relayed"));
    check_number(number_of("SELECT group_concat(number, '') FROM recipient WHERE message = (SELECT min(id) FROM message)"), 368);
    check_number(number_of("SELECT count(*) FROM message"), 2);
    bounce_done(&r);
    teardown();
}

static void what_was_discarded_goes_without_a_word(void)
{
    struct bounce_result r;

    setup();
    r = settle(put_one("a@b.example", "state = 7, notify = 14"));
    check(r.report == 0 && r.removed == 1 && r.dropped == 0);
    check_number(number_of("SELECT count(*) FROM message"), 0);
    check_number(number_of("SELECT count(*) FROM history WHERE event = 'reported'"), 0);
    bounce_done(&r);
    teardown();
}

static void the_null_sender_is_never_answered(void)
{
    static const struct {
        const char *what;
        bool dropped;
    } rows[] = {
        {"state = 4", true},           {"state = 4, notify = 1", true},  {"state = 4, notify = 14", true}, {"state = 5, notify = 2", false},
        {"state = 6, notify = 2", false}, {"warn = 1, notify = 8", false}, {"state = 7", false},
    };

    for (size_t i = 0; i < 2 * TEST_COUNT(rows); i++) {
        struct bounce_result r;
        int64_t id;

        setup();
        conf.bounce_delay = BOUNCE_DELAY_ALL;
        id = put_one("", rows[i / 2].what);
        check(i % 2 == 0 || db_run(q.db, "UPDATE message SET kind = 1"));
        r = settle(id);
        check_number(r.report, 0);
        check_number(r.dropped, rows[i / 2].dropped);
        check(r.drops == NULL || (!r.drops->expected && strstr(r.drops->why, i % 2 == 0 ? "no sender" : "TMAIL_BOUNCE_POSTMASTER is not set") != NULL));
        check_number(number_of("SELECT count(*) FROM message WHERE kind > 1 OR id <> (SELECT min(id) FROM message)"), 0);
        bounce_done(&r);
        teardown();
    }
}

/* Of our reports alone: two postmasters who are each other's would hear of each other for ever. */
static void the_postmaster_hears_of_our_reports(void)
{
    static const char *const silent[] = {"state = 5, notify = 2", "state = 6, notify = 2", "warn = 1, notify = 8", "state = 7"};
    struct bounce_result r;
    int64_t id;

    setup();
    conf.bounce_postmaster = "post@master.example";
    conf.bounce_delay = BOUNCE_DELAY_ALL;
    for (size_t i = 0; i < TEST_COUNT(silent); i++) {
        r = settle(put_one("", silent[i]));
        check(r.report == 0 && r.dropped == 0);
        bounce_done(&r);
    }
    for (int kind = MESSAGE_MAIL; kind <= MESSAGE_REPORT; kind++) {
        char sql[256];

        id = put_one("", "state = 4, notify = 1");
        snprintf(sql, sizeof sql, "UPDATE message SET kind = %d WHERE id = %lld", kind, (long long)id);
        check(db_run(q.db, sql));
        r = settle(id);
        if (kind == MESSAGE_MAIL) {
            check(r.report == 0 && r.dropped == 1 && r.told == 0 && !r.drops->expected);
            bounce_done(&r);
            continue;
        }
        check(r.report != 0 && r.dropped == 0 && r.told == 1);
        check(says(&r, "Action: failed"));
        snprintf(sql, sizeof sql,
                 "SELECT count(*) FROM message m JOIN recipient r ON r.message = m.id WHERE m.id = %lld AND m.kind = 2 AND m.sender = '' AND "
                 "r.address = 'post@master.example'",
                 (long long)r.report);
        check_number(number_of(sql), 1);
        /* And that is the end of it. */
        id = r.report;
        bounce_done(&r);
        set(id, 1, "state = 4");
        r = settle(id);
        check(r.report == 0 && r.dropped == 1 && r.removed == 1 && !r.drops->expected);
        bounce_done(&r);
    }
    teardown();
}

static void a_sender_that_is_no_address_is_told_nothing(void)
{
    static const char *const senders[] = {"nobody", "@b.example", "a@", "a@b example", "a b@c.example", "a@b.example>", "a@b.example\r\nRCPT"};

    for (size_t i = 0; i < TEST_COUNT(senders); i++) {
        struct bounce_result r;

        setup();
        conf.bounce_postmaster = "post@master.example";
        r = settle(put_one(senders[i], "state = 4"));
        check(r.report == 0 && r.dropped == 1 && r.removed == 1 && r.drops != NULL && !r.drops->expected);
        check_number(number_of("SELECT count(*) FROM message"), 0);
        bounce_done(&r);
        /* What went well is nobody's loss. */
        r = settle(put_one(senders[i], "state = 6, notify = 2"));
        check(r.report == 0 && r.dropped == 0 && r.removed == 1);
        bounce_done(&r);
        teardown();
    }
}

static void who_reports_nothing_removes_what_needs_none(void)
{
    struct bounce_result r;
    int64_t id;

    setup();
    check(over_init(&o, &q, true, false));
    conf.bounce_delay = BOUNCE_DELAY_ALL;
    id = put("a@b.example", 4, 100);
    set(id, 1, "state = 4");
    set(id, 2, "state = 7");
    set(id, 3, "state = 6, notify = 2");
    set(id, 4, "state = 1, warn = 1");
    r = settle(id);
    check(r.report == 0 && r.dropped == 0 && r.removed == 2);
    check_number(number_of("SELECT group_concat(number, '') FROM recipient"), 14);
    check_number(number_of("SELECT count(*) FROM message"), 1);
    bounce_done(&r);
    teardown();
}

/* The attempt ended, and the wish for it stands. */
static void what_an_administrator_bounced_in_flight_is_reported_in_any_case(void)
{
    struct bounce_result r;

    setup();
    check(over_init(&o, &q, true, false));
    conf.bounce_enabled = false;
    r = settle(put_one("a@b.example", "state = 4, wish = 3"));
    check(r.report != 0 && r.told == 1 && r.removed == 1);
    bounce_done(&r);
    teardown();
}

/* As tmail queue bounce does. */
static void who_takes_failures_in_hand_reports_them(void)
{
    struct bounce_result r;

    setup();
    conf.bounce_enabled = false;
    r = settle(put_one("a@b.example", "state = 4"));
    check(r.report != 0 && r.told == 1);
    bounce_done(&r);
    teardown();
}

static void the_original_goes_back_as_far_as_it_should(void)
{
    static const struct {
        int64_t size;
        int ret;
        bool whole;
    } rows[] = {{5000, 0, true}, {5000, 1, true}, {5000, 2, false}, {10000, 1, true}, {10001, 1, false}, {300000, 0, false}};

    for (size_t i = 0; i < TEST_COUNT(rows); i++) {
        struct bounce_result r;
        char sql[64];
        int64_t id, size;

        setup();
        conf.bounce_size = 10000;
        id = put("a@b.example", 1, rows[i].size);
        set(id, 1, "state = 4");
        snprintf(sql, sizeof sql, "UPDATE message SET ret = %d", rows[i].ret);
        check(db_run(q.db, sql));
        r = settle(id);
        check(says(&r, "Subject: the original"));
        size = number_of("SELECT size FROM message WHERE kind = 1");
        if (!check(rows[i].whole ? size > rows[i].size : size < 5000))
            printf("# row %zu: %lld\n", i, (long long)size);
        bounce_done(&r);
        teardown();
    }
}

static void what_cannot_be_reported_is_held(void)
{
    static const struct {
        const char *damage, *why;
    } rows[] = {
        {"UPDATE message SET content = x''", "content"},
        {"UPDATE message SET size = 'many'", "content"},
        {"UPDATE recipient SET state = 8", "state"},
        {"UPDATE recipient SET state = 12345678", "state"},
        {"DELETE FROM message", "not in the queue"},
    };

    for (size_t i = 0; i < TEST_COUNT(rows); i++) {
        struct bounce_result r;
        int64_t id;

        setup();
        id = put_one("a@b.example", "state = 4");
        check(db_run(q.db, rows[i].damage));
        r = settle(id);
        check_has(r.held, rows[i].why);
        check(r.report == 0 && r.removed == 0 && r.told == 0 && r.dropped == 0);
        check_number(number_of("SELECT count(*) FROM recipient WHERE state = 3 AND reason LIKE 'no report can be made: %'"), 1);
        check_number(number_of("SELECT count(*) FROM message WHERE kind <> 0"), 0);
        bounce_done(&r);
        teardown();
    }
}

/* Nobody is told of it, so nobody needs its content. */
static void what_is_not_reported_needs_no_content(void)
{
    struct bounce_result r;
    int64_t id;

    setup();
    id = put_one("a@b.example", "state = 4, notify = 1");
    check(db_run(q.db, "UPDATE message SET content = x''"));
    r = settle(id);
    check(r.held == NULL && r.removed == 1);
    check_number(number_of("SELECT count(*) FROM message"), 0);
    bounce_done(&r);
    teardown();
}

static void a_failure_of_the_database_leaves_all_as_it_was(void)
{
    static const char *const failures[] = {
        "CREATE TRIGGER t BEFORE INSERT ON message BEGIN SELECT raise(FAIL, 'no'); END",
        "CREATE TRIGGER t BEFORE INSERT ON recipient BEGIN SELECT raise(FAIL, 'no'); END",
        "CREATE TRIGGER t BEFORE INSERT ON history BEGIN SELECT raise(FAIL, 'no'); END",
        "CREATE TRIGGER t BEFORE INSERT ON past BEGIN SELECT raise(FAIL, 'no'); END",
        "CREATE TRIGGER t BEFORE DELETE ON recipient BEGIN SELECT raise(FAIL, 'no'); END",
        "CREATE TRIGGER t BEFORE DELETE ON message BEGIN SELECT raise(FAIL, 'no'); END",
    };

    for (size_t i = 0; i < TEST_COUNT(failures); i++) {
        struct bounce_result r;
        int64_t id;

        setup();
        id = put_one("a@b.example", "state = 4");
        check(db_run(q.db, failures[i]));
        check(queue_begin(&q));
        check(!bounce_settle(&o, &means, id, &r));
        check(!status_is_ok(&r.failure));
        bounce_done(&r);
        queue_rollback(&q);
        check_number(number_of("SELECT count(*) FROM message"), 1);
        check_number(number_of("SELECT count(*) FROM recipient WHERE state = 4"), 1);
        check_number(number_of("SELECT count(*) FROM history"), 0);
        teardown();
    }
}

/* The original does not fit, or it does and the report with it does not. */
static void a_full_scratch_folder_holds_nothing(void)
{
    static const int64_t sizes[] = {BODY_MEMORY_MAX + 1, BODY_MEMORY_MAX - 10};

    for (size_t i = 0; i < TEST_COUNT(sizes); i++) {
        struct bounce_result r;
        int64_t id;

        setup();
        id = put("a@b.example", 1, sizes[i]);
        set(id, 1, "state = 4");
        conf.tempdir = "/nowhere/at/all";
        conf.bounce_size = 1 << 20;
        check(queue_begin(&q));
        check(!bounce_settle(&o, &means, id, &r));
        check(!status_is_ok(&r.failure));
        bounce_done(&r);
        queue_rollback(&q);
        check_number(number_of("SELECT count(*) FROM recipient WHERE state = 4"), 1);
        teardown();
    }
}

static const struct test_case cases[] = {
    TEST_CASE(a_failure_is_reported),
    TEST_CASE(notify_says_what_is_told),
    TEST_CASE(one_report_tells_of_all),
    TEST_CASE(what_was_discarded_goes_without_a_word),
    TEST_CASE(the_null_sender_is_never_answered),
    TEST_CASE(the_postmaster_hears_of_our_reports),
    TEST_CASE(a_sender_that_is_no_address_is_told_nothing),
    TEST_CASE(who_reports_nothing_removes_what_needs_none),
    TEST_CASE(what_an_administrator_bounced_in_flight_is_reported_in_any_case),
    TEST_CASE(who_takes_failures_in_hand_reports_them),
    TEST_CASE(the_original_goes_back_as_far_as_it_should),
    TEST_CASE(what_cannot_be_reported_is_held),
    TEST_CASE(what_is_not_reported_needs_no_content),
    TEST_CASE(a_failure_of_the_database_leaves_all_as_it_was),
    TEST_CASE(a_full_scratch_folder_holds_nothing),
};

int main(int argc, char **argv)
{
    return test_main(cases, TEST_COUNT(cases), argc, argv);
}

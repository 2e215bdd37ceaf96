#include "test.h"

#include "base/stop.h"
#include "queue/queue.h"
#include "queue/wake.h"
#include "report/bouncer.h"

#include "letter.h"
#include "place.h"

#include <sys/resource.h>

enum { PATIENCE_MS = 30000, SOON_MS = 4500 };

static struct place place;
static struct queue q;
static struct conf conf;
static char error[512];

static void setup(void)
{
    place_open(&place);
    conf = (struct conf){.me = "gate.example",
                         .tempdir = place.folder,
                         .store_source = place.folder,
                         .bounce_enabled = true,
                         .bounce_template = "",
                         .bounce_size = 50 << 10,
                         .bounce_postmaster = "",
                         .deliverd_queue_lifetime = 5 * 86400000LL,
                         .history = 86400000};
    check(queue_open(&q, place.folder, error, sizeof error));
    check(stop_open(-1, 10000));
}

static void teardown(void)
{
    queue_close(&q);
    place_close(&place);
}

static struct bouncer *start(void)
{
    struct bouncer *b = bouncer_start(&conf, NULL, error, sizeof error);

    if (!check(b != NULL))
        printf("# %s\n", error);
    return b;
}

/* Without waiting for the next look, whatever is left to do, and if it is nothing. */
static void stop(struct bouncer *b)
{
    const int64_t begun = clock_now();

    stop_begin();
    bouncer_wait(b);
    check(clock_now() - begun < SOON_MS);
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

/* A message to two recipients, of which the first is like FIRST and the second like SECOND. */
static int64_t put(const char *first, const char *second)
{
    struct letter l;
    char sql[512];
    int64_t id;

    letter_open(&l, place.folder, "r1@a.example", 100);
    letter_recipient(&l, "r2@a.example");
    id = l.envelope.id;
    check(queue_begin(&q));
    check(queue_put(&q, &l.envelope, &l.body));
    snprintf(sql, sizeof sql, "UPDATE recipient SET %s WHERE message = %lld AND number = 1; UPDATE recipient SET %s WHERE message = %lld AND number = 2",
             first, (long long)id, second, (long long)id);
    check(db_run(q.db, sql));
    check(queue_commit(&q));
    letter_close(&l);
    return id;
}

/* Until SQL says NUMBER. */
static bool await(const char *sql, int64_t number)
{
    const int64_t deadline = clock_now() + PATIENCE_MS;

    while (number_of(sql) != number && clock_now() < deadline)
        usleep(5000);
    return check_number(number_of(sql), number);
}

static const char reports[] = "SELECT count(*) FROM message WHERE kind = 1";
static const char failed[] = "SELECT count(*) FROM recipient WHERE state = 4";

static void what_is_over_is_reported(void)
{
    struct bouncer *b;
    bool at_once = false;
    int count = 1;

    setup();
    put("state = 4", "state = 4");
    b = start();
    await(reports, count);
    check_number(number_of(failed), 0);
    /* When it is poked, at once; what came by itself is as long after the last as looks are apart. */
    for (; count < 9 && !at_once && !test_failed(); count++) {
        int64_t start_of;

        put("state = 4", "state = 3");
        await(reports, ++count);
        start_of = clock_now();
        put("state = 4", "state = 3");
        bouncer_poke(b);
        await(reports, count + 1);
        at_once = clock_now() - start_of < SOON_MS;
    }
    check(at_once);
    stop(b);
    teardown();
}

static void deliverers_hear_of_a_report(void)
{
    struct pollfd p = {.events = POLLIN};
    struct bouncer *b;
    struct wake w;

    setup();
    wake_open(&w, place.folder);
    p.fd = w.fd;
    put("state = 7", "state = 7");
    b = start();
    await("SELECT count(*) FROM message", 0);
    check(poll(&p, 1, 200) == 0);
    put("state = 4", "state = 7");
    bouncer_poke(b);
    check(poll(&p, 1, PATIENCE_MS) == 1);
    stop(b);
    wake_close(&w);
    teardown();
}

static void of_two_one_reports(void)
{
    enum { MESSAGES = 300 };
    struct bouncer *a, *b;

    setup();
    for (int i = 0; i < MESSAGES; i++)
        put("state = 4", "state = 6, notify = 2");
    a = start();
    b = start();
    for (int i = 0; i < MESSAGES; i++) {
        put("state = 4", "state = 4, notify = 1");
        bouncer_poke(i % 2 == 0 ? a : b);
    }
    await(failed, 0);
    stop(a);
    bouncer_wait(b);
    check_number(number_of(reports), 2 * MESSAGES);
    check_number(number_of("SELECT count(*) FROM history WHERE event = 'reported'"), 2 * MESSAGES);
    check_number(number_of("SELECT count(DISTINCT message) FROM history WHERE event = 'reported'"), 2 * MESSAGES);
    check_number(number_of("SELECT count(*) FROM past"), 2 * MESSAGES);
    teardown();
}

static void those_that_fail_together_are_told_together(void)
{
    char sql[128];
    struct bouncer *b;

    setup();
    snprintf(sql, sizeof sql, "state = 4, tried = %lld", (long long)clock_wall());
    put(sql, "state = 2");
    put(sql, "state = 3");
    b = start();
    await(reports, 1);
    check_number(number_of(failed), 1);
    check(db_run(q.db, "UPDATE recipient SET state = 4 WHERE state = 2"));
    bouncer_poke(b);
    await(reports, 2);
    check_number(number_of(failed), 0);
    check_number(number_of("SELECT count(*) FROM history WHERE event = 'reported'"), 2);
    stop(b);
    teardown();
}

static void one_that_cannot_be_reported_holds_up_nobody(void)
{
    char sql[256];
    struct bouncer *b;
    int64_t bad = 0;

    setup();
    for (int i = 0; i < 10; i++) {
        int64_t id = put("state = 4", "state = 4");

        bad = i == 4 ? id : bad;
    }
    snprintf(sql, sizeof sql, "CREATE TRIGGER t BEFORE DELETE ON message WHEN old.id = %lld BEGIN SELECT raise(FAIL, 'no'); END", (long long)bad);
    check(db_run(q.db, sql));
    b = start();
    await(reports, 9);
    check_number(number_of(failed), 2);
    check(db_run(q.db, "DROP TRIGGER t"));
    await(reports, 10);
    check_number(number_of(failed), 0);
    check_number(number_of("SELECT count(*) FROM history WHERE event = 'reported'"), 10);
    check_number(number_of("SELECT count(DISTINCT message) FROM history WHERE event = 'reported'"), 10);
    stop(b);
    teardown();
}

static void one_that_is_damaged_holds_up_nobody(void)
{
    struct bouncer *b;

    setup();
    for (int i = 0; i < 3; i++)
        put("state = 4", "state = 4");
    check(db_run(q.db, "UPDATE message SET content = x'' WHERE id = (SELECT min(id) FROM message)"));
    b = start();
    await(reports, 2);
    await("SELECT count(*) FROM recipient WHERE state = 3", 2);
    stop(b);
    teardown();
}

static void what_failed_stays_where_nothing_is_reported(void)
{
    struct bouncer *b;

    setup();
    conf.bounce_enabled = false;
    conf.history = 0;
    put("state = 4", "state = 7");
    put("state = 7", "state = 7");
    b = start();
    await("SELECT count(*) FROM recipient", 1);
    check_number(number_of(failed), 1);
    check_number(number_of("SELECT (SELECT count(*) FROM message) * 100 + (SELECT count(*) FROM past) + (SELECT count(*) FROM history)"), 100);
    stop(b);
    teardown();
}

static void a_stop_ends_it(void)
{
    struct bouncer *b;

    setup();
    for (int i = 0; i < 200; i++)
        put("state = 4", "state = 4");
    b = start();
    stop(b);
    check_number(number_of("SELECT count(*) FROM message"), 200);
    check_number(number_of("SELECT count(*) FROM message WHERE kind = 1") - number_of("SELECT count(*) FROM history WHERE event = 'reported'"), 0);
    bouncer_wait(NULL);
    bouncer_poke(NULL);
    teardown();
}

/* A poke is one look. */
static void who_has_nothing_to_do_sleeps(void)
{
    struct rusage before, after;
    struct bouncer *b;
    bool sleeps = false;

    setup();
    put("state = 4", "state = 4");
    b = start();
    await(reports, 1);
    bouncer_poke(b);
    for (int second = 0; second < 10 && !sleeps; second++) {
        int64_t begun = clock_now();

        getrusage(RUSAGE_SELF, &before);
        usleep(1000000);
        getrusage(RUSAGE_SELF, &after);
        sleeps = (after.ru_nvcsw - before.ru_nvcsw) * 1000 < 15 * (clock_now() - begun);
    }
    check(sleeps);
    stop(b);
    teardown();
}

static void without_a_queue_there_is_none(void)
{
    setup();
    conf.store_source = "/nowhere/at/all";
    check(bouncer_start(&conf, NULL, error, sizeof error) == NULL);
    check_has(error, "/nowhere/at/all");
    teardown();
}

static const struct test_case cases[] = {
    TEST_CASE(what_is_over_is_reported),
    TEST_CASE(deliverers_hear_of_a_report),
    TEST_CASE(of_two_one_reports),
    TEST_CASE(those_that_fail_together_are_told_together),
    TEST_CASE(one_that_cannot_be_reported_holds_up_nobody),
    TEST_CASE(one_that_is_damaged_holds_up_nobody),
    TEST_CASE(what_failed_stays_where_nothing_is_reported),
    TEST_CASE(a_stop_ends_it),
    TEST_CASE(who_has_nothing_to_do_sleeps),
    TEST_CASE(without_a_queue_there_is_none),
};

int main(int argc, char **argv)
{
    return test_main(cases, TEST_COUNT(cases), argc, argv);
}

#include "test.h"

#include "report/tls_results.h"

#include "tls_rows.h"

#include "report/tls_day.h"

#include <pthread.h>
#include <sys/stat.h>

static struct address local, peer;

static void setup(void)
{
    world_open();
    local = address_at("192.0.2.1:4711");
    peer = address_at("[2001:db8::25]:25");
}

static struct tls_result result(enum tls_failure failure)
{
    return (struct tls_result){.domain = "a.example", .type = TLS_RESULT_STS, .policy = "version: STSv1\nmode: testing", .mx = "mx.a.example",
                               .mx_host = "mx.a.example", .local = &local, .peer = &peer, .failure = failure, .reason = "it broke"};
}

static void check_row(const struct tls_row *row, const struct tls_row *wanted)
{
    char today[TLS_DAY_SIZE];

    tls_day_text(clock_wall(), today);
    check_str(row->day, str_of(today));
    check_str(row->domain, wanted->domain);
    check_str(row->type, wanted->type);
    check_str(row->policy, wanted->policy);
    check_str(row->mx, wanted->mx);
    check_str(row->failure, wanted->failure);
    check_str(row->mx_host, wanted->mx_host);
    check_str(row->local_ip, wanted->local_ip);
    check_str(row->peer_ip, wanted->peer_ip);
    check_str(row->reason, wanted->reason);
    check_number(row->sessions, wanted->sessions);
}

/* What of TLS_ROWS_EACH is expected next. */
struct expected {
    const struct tls_row *rows;
    size_t count, seen;
};

static void compare(void *context, const struct tls_row *row)
{
    struct expected *e = context;

    if (check(e->seen < e->count))
        check_row(row, &e->rows[e->seen]);
    e->seen++;
}

static void check_rows(const char *domain, const struct tls_row *rows, size_t count)
{
    struct expected e = {rows, count, 0};
    char today[TLS_DAY_SIZE];

    tls_day_text(clock_wall(), today);
    check_done(tls_rows_each(world.tables, str_of(today), str_of(domain), compare, &e));
    check_number(e.seen, count);
}

static void sessions_add_up(void)
{
    const struct tls_row rows[] = {
        {.domain = STR("a.example"), .type = STR("no-policy-found"), .sessions = 1},
        {.domain = STR("a.example"), .type = STR("sts"), .policy = STR("version: STSv1\nmode: testing"), .mx = STR("mx.a.example"), .sessions = 3},
        {.domain = STR("a.example"), .type = STR("sts"), .policy = STR("version: STSv1\nmode: testing"), .mx = STR("mx.a.example"),
         .failure = STR("certificate-expired"), .mx_host = STR("mx.a.example"), .local_ip = STR("192.0.2.1"), .peer_ip = STR("2001:db8::25"),
         .reason = STR("it broke"), .sessions = 4},
    };
    struct tls_result ok, bad, bare = {.domain = "a.example"};
    struct tls_results *r;

    setup();
    ok = result(TLS_FAILURE_NONE);
    bad = result(TLS_FAILURE_CERTIFICATE_EXPIRED);
    r = tls_results_new(world.path);
    for (int i = 0; i < 2; i++) {
        tls_results_count(r, &ok);
        tls_results_count(r, &bad);
        tls_results_count(r, &bad);
        tls_results_flush(r);
    }
    tls_results_count(r, &bare);
    peer.port = 2525; /* is the same server */
    ok.mx_host = "other.a.example"; /* of a success nothing is told */
    tls_results_count(r, &ok);
    check_number(number_of("SELECT sum(sessions) FROM tls_results"), 6);
    tls_results_flush(r);
    check_rows("a.example", rows, 3);
    world_close();
}

static void what_cannot_be_reported_is_not_counted(void)
{
    struct tls_result literal = {.domain = "[192.0.2.1]"}, none = {.domain = ""};
    struct tls_results *r;

    setup();
    r = tls_results_new(world.path);
    tls_results_count(r, &literal);
    tls_results_count(r, &none);
    tls_results_count(NULL, &literal);
    tls_results_flush(r);
    tls_results_flush(NULL);
    check_number(number_of("SELECT count(*) FROM tls_results"), 0);
    world_close();
}

static void a_peer_that_always_fails_in_another_way_fills_nothing(void)
{
    struct tls_result bad;
    struct tls_results *r;

    setup();
    bad = result(TLS_FAILURE_VALIDATION);
    r = tls_results_new(world.path);
    for (int i = 0; i < 12000; i++) {
        char reason[32];

        snprintf(reason, sizeof reason, "reason %d", i);
        bad.reason = reason;
        tls_results_count(r, &bad);
    }
    tls_results_flush(r);
    check_number(number_of("SELECT sum(sessions) FROM tls_results"), 12000);
    check_number(number_of("SELECT count(*) FROM tls_results"), TLS_ROWS_MOST + 1);
    check_number(number_of("SELECT sessions FROM tls_results WHERE reason = '' AND policy = ''"), 12000 - TLS_ROWS_MOST);
    world_close();
}

static void memory_has_an_end(void)
{
    struct tls_result ok;
    struct tls_results *r;

    setup();
    ok = result(TLS_FAILURE_NONE);
    r = tls_results_new(place_path(&world.place, "missing/tmail.db"));
    for (int i = 0; i < 30000; i++) {
        char domain[32];

        snprintf(domain, sizeof domain, "d%d.example", i);
        ok.domain = domain;
        tls_results_count(r, &ok);
    }
    /* The database is not there: all waits in memory. */
    tls_results_flush(r);
    tls_results_flush(r);
    check(mkdir(place_path(&world.place, "missing"), 0700) == 0);
    tls_results_flush(r);
    tables_close(&world.tables);
    world.tables = tables_open(place_path(&world.place, "missing/tmail.db"), world.error, sizeof world.error);
    check_number(number_of("SELECT sum(sessions) FROM tls_results"), 20000);
    check_number(number_of("SELECT count(*) FROM tls_results WHERE policy != ''"), 10000);
    world_close();
}

static void long_texts_are_cut(void)
{
    struct buf policy = {0}, reason = {0};
    struct tls_result bad;
    struct tls_results *r;

    setup();
    for (int i = 0; i < 1000; i++) {
        buf_print(&policy, "mx: host%d.example\n", i);
        buf_add_text(&reason, "no ");
    }
    bad = result(TLS_FAILURE_VALIDATION);
    bad.policy = buf_text(&policy);
    bad.reason = buf_text(&reason);
    r = tls_results_new(world.path);
    tls_results_count(r, &bad);
    tls_results_flush(r);
    check_number(number_of("SELECT length(reason) FROM tls_results"), 256);
    check(number_of("SELECT length(policy) FROM tls_results") > 1900);
    check(number_of("SELECT length(policy) FROM tls_results") <= 2048);
    check_number(number_of("SELECT substr(policy, -8) = '.example' FROM tls_results"), 1);
    buf_done(&policy);
    buf_done(&reason);
    world_close();
}

static void the_order_of_records_means_nothing(void)
{
    static const char *const orders[] = {"3 1 1 01\n2 0 1 02\n3 1 1 0", "3 1 1 0\n3 1 1 01\n2 0 1 02\n", "\n2 0 1 02\n3 1 1 0\n3 1 1 01"};
    struct tls_result ok = {.domain = "a.example", .type = TLS_RESULT_TLSA};
    struct tls_results *r;

    setup();
    r = tls_results_new(world.path);
    for (size_t i = 0; i < TEST_COUNT(orders); i++) {
        ok.policy = orders[i];
        tls_results_count(r, &ok);
    }
    tls_results_flush(r);
    check_number(number_of("SELECT sessions FROM tls_results WHERE policy = replace('2 0 1 02|3 1 1 0|3 1 1 01|', '|', char(10))"), 3);
    world_close();
}

enum { THREADS = 4, EACH = 2000 };

static void *count_many(void *r)
{
    struct tls_result bad = result(TLS_FAILURE_VALIDATION);

    for (int i = 0; i < EACH; i++) {
        char reason[32];

        snprintf(reason, sizeof reason, "reason %d", i % 7);
        bad.reason = reason;
        tls_results_count(r, &bad);
        if (i % 500 == 0)
            tls_results_flush(r);
    }
    return NULL;
}

static void threads_count_side_by_side(void)
{
    pthread_t threads[THREADS];
    struct tls_results *r;

    setup();
    r = tls_results_new(world.path);
    for (int i = 0; i < THREADS; i++)
        check_number(pthread_create(&threads[i], NULL, count_many, r), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    tls_results_flush(r);
    check_number(number_of("SELECT sum(sessions) FROM tls_results"), THREADS * EACH);
    check_number(number_of("SELECT count(*) FROM tls_results"), 7);
    world_close();
}

static void what_is_counted_is_written_soon(void)
{
    struct tls_result ok;
    int64_t deadline = clock_now() + 15000;

    setup();
    ok = result(TLS_FAILURE_NONE);
    tls_results_count(tls_results_new(world.path), &ok);
    while (number_of("SELECT count(*) FROM tls_results") == 0 && clock_now() < deadline)
        poll(NULL, 0, 50);
    check_number(number_of("SELECT sum(sessions) FROM tls_results"), 1);
    world_close();
}

static const struct test_case cases[] = {
    TEST_CASE(sessions_add_up),
    TEST_CASE(what_cannot_be_reported_is_not_counted),
    TEST_CASE(a_peer_that_always_fails_in_another_way_fills_nothing),
    TEST_CASE(memory_has_an_end),
    TEST_CASE(long_texts_are_cut),
    TEST_CASE(the_order_of_records_means_nothing),
    TEST_CASE(threads_count_side_by_side),
    TEST_CASE(what_is_counted_is_written_soon),
};

int main(int argc, char **argv)
{
    return test_main(cases, TEST_COUNT(cases), argc, argv);
}

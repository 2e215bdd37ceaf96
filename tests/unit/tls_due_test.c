#include "test.h"

#include "report/tls_due.h"

#include "tls_rows.h"

#include <unistd.h>

/* 2026-11-21 at noon; the day that is over is the 20th. */
enum { MINUTE = 60 * 1000, HOUR = 60 * MINUTE };
#define MIDNIGHT 1795219200000
#define NOON (MIDNIGHT + 12 * HOUR)
#define YESTERDAY "2026-11-20"
#define TODAY "2026-11-21"

static struct arena arena;

static void setup(void)
{
    world_open();
    arena_init(&arena);
}

static void teardown(void)
{
    arena_done(&arena);
    world_close();
}

static void plan_at(int64_t now)
{
    check_done(tls_due_plan(world.tables, now, "mx.example.org"));
}

static bool claim_in(struct tables *t, int64_t now, bool early, struct tls_due *due)
{
    const struct tls_due_wish wish = {.now = now, .domain = "", .early = early};
    bool found = false;

    check_done(tls_due_claim(t, &wish, 0, &arena, due, &found));
    return found;
}

static bool claim(int64_t now, struct tls_due *due)
{
    return claim_in(world.tables, now, false, due);
}

static void days_that_are_over_get_their_time(void)
{
    setup();
    for (int i = 0; i < 100; i++) {
        char domain[32];

        snprintf(domain, sizeof domain, "d%d.example", i);
        add_success(YESTERDAY, domain);
    }
    add_success(YESTERDAY, "d0.example");
    add_success(TODAY, "d0.example");
    add_success("2026-11-19", "d0.example");
    plan_at(NOON);
    plan_at(NOON + 1);
    check_number(number_of("SELECT count(*) FROM tls_reports"), 101);
    check_number(number_of("SELECT count(*) FROM tls_reports WHERE day = '" TODAY "'"), 0);
    check(number_of("SELECT min(due) FROM tls_reports WHERE day = '" YESTERDAY "'") >= MIDNIGHT + 10 * MINUTE);
    check(number_of("SELECT max(due) FROM tls_reports WHERE day = '" YESTERDAY "'") < MIDNIGHT + 10 * MINUTE + 4 * HOUR);
    /* Not all at once. */
    check(number_of("SELECT (max(due) - min(due)) / 60000 FROM tls_reports WHERE day = '" YESTERDAY "'") > 180);
    check(number_of("SELECT count(DISTINCT due / 600000) FROM tls_reports WHERE day = '" YESTERDAY "'") > 15);
    teardown();
}

static void what_is_old_is_forgotten(void)
{
    setup();
    add_success("2026-11-18", "a.example");
    add_success("2026-11-19", "a.example");
    add_success(YESTERDAY, "a.example");
    plan_at(NOON - TLS_DAY_MS);
    check_number(number_of("SELECT count(*) FROM tls_reports"), 2);
    plan_at(NOON);
    check_number(number_of("SELECT count(*) FROM tls_reports WHERE day = '2026-11-18'"), 0);
    check_number(number_of("SELECT count(*) FROM tls_results WHERE day = '2026-11-18'"), 0);
    check_number(number_of("SELECT count(*) FROM tls_results"), 2);
    plan_at(NOON + 7 * (int64_t)TLS_DAY_MS);
    check_number(number_of("SELECT count(*) FROM tls_reports"), 0);
    check_number(number_of("SELECT count(*) FROM tls_results"), 0);
    teardown();
}

/* What somebody put there by hand; DAY and DOMAIN are SQL. */
static void put(const char *day, const char *domain)
{
    char text[512];

    snprintf(text, sizeof text,
             "INSERT INTO tls_results (day, domain, type, policy, mx, failure, mx_host, local_ip, peer_ip, reason, sessions)"
             " VALUES (%s, %s, 'sts', '', '', '', '', '', '', '', 1);", day, domain);
    sql(text);
}

static void put_rows_of_no_day_or_domain(void)
{
    static const char *const domains[] = {"x'612e6578616d706c65'", "x''"};
    static const char *const days[] = {"x'323032362d31312d3230'", "''", "'2026-11-20x'", "'20 Nov'", "'2026-11-31'", "'now'",
                                       "'2026-11-20' || char(0)"};

    for (size_t i = 0; i < TEST_COUNT(domains); i++)
        put("'" YESTERDAY "'", domains[i]);
    for (size_t i = 0; i < TEST_COUNT(days); i++)
        put(days[i], "'b.example'");
}

static void check_two_results_and_a_report(void)
{
    check_number(number_of("SELECT count(*) FROM tls_results"), 2);
    check_number(number_of("SELECT count(*) FROM tls_results WHERE domain = 'a.example'"), 2);
    check_number(number_of("SELECT count(*) FROM tls_reports"), 1);
    check_number(number_of("SELECT count(*) FROM tls_reports WHERE day = '" YESTERDAY "' AND domain = 'a.example'"), 1);
}

/* The alarm kills one that does not end. */
static void rows_of_no_day_or_domain_are_forgotten(void)
{
    setup();
    alarm(20);
    add_success(YESTERDAY, "a.example");
    add_success(TODAY, "a.example");
    put_rows_of_no_day_or_domain();
    plan_at(NOON);
    check_two_results_and_a_report();
    put_rows_of_no_day_or_domain();
    sql("INSERT INTO tls_reports (day, domain, due) SELECT day, domain, 1 FROM tls_results WHERE domain <> 'a.example'");
    plan_at(NOON);
    check_two_results_and_a_report();
    alarm(0);
    teardown();
}

static void one_of_two_gets_it(void)
{
    struct tables *other;
    struct tls_due mine, yours;

    setup();
    other = tables_open(world.path, world.error, sizeof world.error);
    add_success(YESTERDAY, "a.example");
    plan_at(NOON);
    check(claim(NOON, &mine));
    check_text(mine.day, YESTERDAY);
    check_text(mine.domain, "a.example");
    check_text(mine.uri, "");
    check_number(mine.attempts, 1);
    check(!claim_in(other, NOON + 1, true, &yours));
    /* Who died with it loses it, and who was only slow cannot say how it went. */
    check(claim_in(other, NOON + TLS_DUE_LEASE_MS, false, &yours));
    check_number(yours.attempts, 2);
    check_done(tls_due_done(world.tables, &mine, NULL, 0, NOON));
    check_number(number_of("SELECT count(*) FROM tls_results"), 1);
    check_done(tls_due_done(other, &yours, NULL, 0, NOON));
    check_number(number_of("SELECT count(*) FROM tls_results"), 0);
    tables_close(&other);
    teardown();
}

static void nothing_goes_before_its_time(void)
{
    struct tls_due due;

    setup();
    add_success(YESTERDAY, "a.example");
    plan_at(MIDNIGHT);
    check(!claim(MIDNIGHT, &due));
    check(claim_in(world.tables, MIDNIGHT, true, &due));
    teardown();
}

static void a_wish_for_a_domain_is_heeded(void)
{
    const struct tls_due_wish wish = {.now = NOON, .domain = "b.example"};
    struct tls_due due;
    bool found;

    setup();
    add_success(YESTERDAY, "a.example");
    add_success(YESTERDAY, "b.example");
    add_success(YESTERDAY, "sub.b.example");
    plan_at(NOON);
    check_done(tls_due_claim(world.tables, &wish, 0, &arena, &due, &found));
    check(found);
    check_text(due.domain, "b.example");
    check_done(tls_due_claim(world.tables, &wish, 0, &arena, &due, &found));
    check(!found);
    teardown();
}

static void what_is_done_stays_done(void)
{
    struct tls_due due;

    setup();
    add_success(YESTERDAY, "a.example");
    plan_at(NOON);
    check(claim(NOON, &due));
    check_done(tls_due_done(world.tables, &due, NULL, 0, NOON));
    check(!claim_in(world.tables, NOON + HOUR, true, &due));
    /* A deliverer that was slow to stop brings some more. */
    add_success(YESTERDAY, "a.example");
    add_success(YESTERDAY, "b.example");
    plan_at(NOON + HOUR);
    check_number(number_of("SELECT count(*) FROM tls_results WHERE domain = 'a.example'"), 0);
    check_number(number_of("SELECT count(*) FROM tls_results WHERE domain = 'b.example'"), 1);
    check(claim(NOON + HOUR, &due));
    check_text(due.domain, "b.example");
    check(!claim(NOON + HOUR, &due));
    teardown();
}

static void https_addresses_are_tried_one_by_one(void)
{
    static const char *const https[] = {"https://1.example/", "https://2.example/"};
    struct tls_due report, first, second, again;

    setup();
    add_success(YESTERDAY, "a.example");
    plan_at(NOON);
    check(claim(NOON, &report));
    check_done(tls_due_done(world.tables, &report, https, 2, NOON));
    check_number(number_of("SELECT count(*) FROM tls_results"), 1);
    check(claim(NOON, &first) && claim(NOON, &second) && !claim(NOON, &again));
    check_text(first.uri, https[0]);
    check_text(second.uri, https[1]);
    check_done(tls_due_done(world.tables, &second, NULL, 0, NOON));
    check_done(tls_due_later(world.tables, &first, NOON + HOUR));
    plan_at(NOON + 1);
    check_number(number_of("SELECT count(*) FROM tls_results"), 1);
    check(!claim(NOON + HOUR - 1, &again));
    check(claim(NOON + HOUR, &again));
    check_text(again.uri, https[0]);
    check_number(again.attempts, 2);
    check_done(tls_due_give_back(world.tables, &again));
    check(claim(NOON + HOUR, &again));
    check_number(again.attempts, 2);
    check_done(tls_due_done(world.tables, &again, NULL, 0, NOON));
    check_number(number_of("SELECT count(*) FROM tls_results"), 0);
    teardown();
}

static const struct test_case cases[] = {
    TEST_CASE(days_that_are_over_get_their_time),
    TEST_CASE(what_is_old_is_forgotten),
    TEST_CASE(rows_of_no_day_or_domain_are_forgotten),
    TEST_CASE(one_of_two_gets_it),
    TEST_CASE(nothing_goes_before_its_time),
    TEST_CASE(a_wish_for_a_domain_is_heeded),
    TEST_CASE(what_is_done_stays_done),
    TEST_CASE(https_addresses_are_tried_one_by_one),
};

int main(int argc, char **argv)
{
    return test_main(cases, TEST_COUNT(cases), argc, argv);
}

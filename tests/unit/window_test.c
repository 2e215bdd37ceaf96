#include "test.h"

#include "deliverd/window.h"

enum { DEAD_MS = 60000 };

static struct status why;

static struct window make_window(int64_t most, int64_t dead_time)
{
    struct window w;

    why = status_make(451, "4.4.1", "Cannot connect");
    window_init(&w, most, dead_time, 12345);
    return w;
}

static struct window_ticket ticket_of(const struct window *w)
{
    struct window_ticket t = {.probe = false};

    window_begin(w, &t);
    return t;
}

static void answer(struct window *w, int times)
{
    for (int i = 0; i < times; i++) {
        struct window_ticket t = ticket_of(w);

        window_answered(w, &t);
    }
}

/* JOBS that ran together. */
static void fail(struct window *w, int jobs, int64_t now)
{
    struct window_ticket t = ticket_of(w);

    for (int i = 0; i < jobs; i++)
        window_failed(w, &t, now, &why);
}

static enum window_answer ask(const struct window *w, int64_t now)
{
    int64_t until;

    return window_ask(w, now, 0, &until);
}

static int64_t until_of(const struct window *w, int64_t now)
{
    int64_t until = 0;

    check_number(window_ask(w, now, 0, &until), WINDOW_DOWN);
    return until;
}

/* Down since NOW. */
static struct window make_down(int64_t most, int64_t dead_time, int64_t now)
{
    struct window w = make_window(most, dead_time);

    fail(&w, 5, now);
    check(w.down);
    return w;
}

static void end_probe(struct window *w, bool answered, int64_t now)
{
    struct window_ticket t = {.era = w->era, .probe = true};

    window_begin_probe(w, now);
    if (answered)
        window_answered(w, &t);
    else
        window_failed(w, &t, now, &why);
}

static void it_begins_small(void)
{
    static const int64_t table[][2] = {{1, 1}, {3, 3}, {5, 5}, {20, 5}, {1000000, 5}};

    for (size_t i = 0; i < TEST_COUNT(table); i++) {
        struct window w = make_window(table[i][0], DEAD_MS);

        check_number(window_size(&w), table[i][1]);
        check(window_is_new(&w));
        check_number(ask(&w, 1), WINDOW_OPEN);
    }
}

static void answers_open_it(void)
{
    struct window w = make_window(20, DEAD_MS);

    answer(&w, 1);
    check_number(window_size(&w), 6);
    check(!window_is_new(&w));
    answer(&w, 14);
    check_number(window_size(&w), 20);
    answer(&w, 100);
    check_number(window_size(&w), 20);
}

static void jobs_that_fail_together_close_it_once(void)
{
    struct window w = make_window(20, DEAD_MS);

    answer(&w, 15);
    fail(&w, 10, 1);
    check_number(window_size(&w), 10);
    fail(&w, 3, 1); /* of those that came after */
    check_number(window_size(&w), 5);
    check_number(ask(&w, 1), WINDOW_OPEN);
}

/* Where it failed once it opens with care. */
static void it_opens_slowly_where_it_has_closed(void)
{
    struct window w = make_window(20, DEAD_MS);

    answer(&w, 15);
    fail(&w, 1, 1);
    check_number(window_size(&w), 10);
    answer(&w, 9);
    check_number(window_size(&w), 10);
    answer(&w, 3);
    check_number(window_size(&w), 11);
    answer(&w, 200);
    check_number(window_size(&w), 20);
}

static void a_windowful_of_failures_is_down(void)
{
    struct window w = make_window(20, DEAD_MS);

    fail(&w, 4, 1);
    check_number(ask(&w, 1), WINDOW_OPEN);
    check_number(window_size(&w), 2);
    answer(&w, 1);
    check_number(window_size(&w), 2);
    w = make_window(20, DEAD_MS);
    fail(&w, 5, 1);
    check_number(ask(&w, 1), WINDOW_DOWN);
    check_text(w.why.text, "Cannot connect");
    check(!window_is_new(&w));
}

/* One answer shows that it lives. */
static void an_answer_among_failures_keeps_it_up(void)
{
    struct window w = make_window(20, DEAD_MS);
    struct window_ticket t;

    answer(&w, 15);
    t = ticket_of(&w);
    for (int i = 0; i < 24; i++) {
        window_failed(&w, &t, 1, &why);
        check_number(ask(&w, 1), WINDOW_OPEN);
        if (i == 1 || i == 12)
            window_answered(&w, &t);
    }
    check(window_size(&w) >= 10); /* they ran together */
}

static void failures_one_by_one_are_down_when_it_cannot_close(void)
{
    struct window w = make_window(20, DEAD_MS), one = make_window(1, DEAD_MS);

    fail(&w, 1, 1);
    fail(&w, 1, 2);
    check_number(window_size(&w), 1);
    check_number(ask(&w, 2), WINDOW_OPEN);
    fail(&w, 1, 3);
    check_number(ask(&w, 3), WINDOW_DOWN);
    fail(&one, 1, 1);
    check_number(ask(&one, 1), WINDOW_DOWN);
}

static void without_a_time_it_is_never_down(void)
{
    struct window w = make_window(20, 0);

    for (int i = 0; i < 50; i++)
        fail(&w, 5, i);
    check_number(ask(&w, 50), WINDOW_OPEN);
    check_number(window_size(&w), 1);
    answer(&w, 1);
    check_number(window_size(&w), 2);
}

static bool is_about(int64_t actual, int64_t expected)
{
    return actual >= expected - expected / 10 && actual <= expected + expected / 10;
}

static void one_probe_goes_when_the_time_is_over(void)
{
    struct window w = make_down(20, DEAD_MS, 1000);
    int64_t until = until_of(&w, 1000);

    check(is_about(until - 1000, DEAD_MS));
    check_number(until_of(&w, until - 1), until);
    check_number(ask(&w, until), WINDOW_PROBE);
    check_number(ask(&w, until + 1000000), WINDOW_PROBE);
    window_begin_probe(&w, until);
    check_number(until_of(&w, until), until + 1000);
    check_number(until_of(&w, until + 500), until + 1500);
    check_number(until_of(&w, until + 8000), until + 16000); /* ever more rarely */
    end_probe(&w, true, until + 9000);
    check_number(ask(&w, until + 9000), WINDOW_OPEN);
    check_number(window_size(&w), 5);
    answer(&w, 15);
    check_number(window_size(&w), 20);
}

static void failed_probes_double_the_time(void)
{
    static const int64_t table[] = {60000, 120000, 240000, 480000, 600000, 600000, 600000};
    struct window w = make_down(20, DEAD_MS, 0);
    int64_t now = 0;

    for (size_t i = 0; i < TEST_COUNT(table); i++) {
        int64_t until = until_of(&w, now);

        if (!check(is_about(until - now, table[i])))
            printf("# %zu: %" PRId64 "\n", i, until - now);
        now = until;
        check_number(ask(&w, now), WINDOW_PROBE);
        end_probe(&w, false, now);
    }
    end_probe(&w, true, now);
    fail(&w, 5, now); /* and from the beginning */
    check(is_about(until_of(&w, now) - now, DEAD_MS));
}

static void a_long_time_stays_as_it_is(void)
{
    struct window w = make_down(20, 3600000, 0);

    check(is_about(until_of(&w, 0), 3600000));
    end_probe(&w, false, 0);
    check(is_about(until_of(&w, 0), 3600000));
}

static void those_that_died_together_wake_apart(void)
{
    int64_t first = 0;
    int others = 0;

    for (uint32_t seed = 0; seed < 20; seed++) {
        struct window w;

        window_init(&w, 1, DEAD_MS, seed);
        fail(&w, 1, 0);
        check(is_about(until_of(&w, 0), DEAD_MS));
        if (seed == 0)
            first = until_of(&w, 0);
        others += until_of(&w, 0) != first;
    }
    check(others > 15);
}

static void an_administrator_may_probe_at_once(void)
{
    struct window w = make_down(20, DEAD_MS, 1000);
    int64_t until;

    check_number(window_ask(&w, 2000, 999, &until), WINDOW_DOWN);
    check_number(window_ask(&w, 2000, 1000, &until), WINDOW_DOWN);
    check_number(window_ask(&w, 2000, 1001, &until), WINDOW_PROBE);
    window_begin_probe(&w, 2000);
    check_number(window_ask(&w, 2000, 1001, &until), WINDOW_DOWN); /* one is enough */
    end_probe(&w, false, 2500);
    check_number(window_ask(&w, 2600, 1001, &until), WINDOW_DOWN);
    check_number(window_ask(&w, 2600, 2501, &until), WINDOW_PROBE);
}

static void old_news_does_not_count(void)
{
    struct window w = make_window(20, DEAD_MS);
    struct window_ticket old = ticket_of(&w);
    int64_t until;

    fail(&w, 5, 1000);
    until = until_of(&w, 1000);
    window_failed(&w, &old, 5000, &why);
    check_number(until_of(&w, 5000), until); /* it does not stay down for longer */
    end_probe(&w, true, until);
    for (int i = 0; i < 20; i++)
        window_failed(&w, &old, until, &why);
    check_number(ask(&w, until), WINDOW_OPEN);
    check_number(window_size(&w), 5);
}

/* A job that began before may still be answered. */
static void who_answers_is_not_down(void)
{
    struct window w = make_window(20, DEAD_MS);
    struct window_ticket old = ticket_of(&w);

    fail(&w, 5, 1000);
    window_answered(&w, &old);
    check_number(ask(&w, 1000), WINDOW_OPEN);
    check_number(window_size(&w), 1);
}

static void a_probe_without_an_end_is_repeated(void)
{
    struct window w = make_down(20, DEAD_MS, 0);
    int64_t until = until_of(&w, 0);
    struct window_ticket probe = {.era = w.era, .probe = true}, other = {0};

    window_begin_probe(&w, until);
    window_learned_nothing(&w, &other);
    check_number(ask(&w, until), WINDOW_DOWN);
    window_learned_nothing(&w, &probe);
    check_number(ask(&w, until), WINDOW_PROBE);
    check_number(w.failed_probes, 0);
}

/* Whatever happens in whatever order: the size stays in its bounds, and down is down. */
static void it_keeps_its_bounds(void)
{
    uint32_t random = 1;

    for (int64_t most = 1; most <= 40; most += 13) {
        struct window w = make_window(most, DEAD_MS);
        struct window_ticket tickets[8] = {{0}};
        int64_t now = 0;

        for (int i = 0; i < 20000; i++) {
            struct window_ticket *t = &tickets[(random = random * 1103515245 + 12345) >> 29];
            uint32_t what = (random >> 20) % 8;

            now += random >> 18;
            if (what < 3)
                window_failed(&w, t, now, &why);
            else if (what < 5)
                window_answered(&w, t);
            else
                window_learned_nothing(&w, t);
            *t = (struct window_ticket){.era = w.era, .probe = ask(&w, now) == WINDOW_PROBE};
            if (t->probe)
                window_begin_probe(&w, now);
            if (!check(window_size(&w) >= 1 && window_size(&w) <= most) || !check(!w.probing || w.down))
                return;
        }
    }
}

static const struct test_case cases[] = {
    TEST_CASE(it_begins_small),
    TEST_CASE(answers_open_it),
    TEST_CASE(jobs_that_fail_together_close_it_once),
    TEST_CASE(it_opens_slowly_where_it_has_closed),
    TEST_CASE(a_windowful_of_failures_is_down),
    TEST_CASE(an_answer_among_failures_keeps_it_up),
    TEST_CASE(failures_one_by_one_are_down_when_it_cannot_close),
    TEST_CASE(without_a_time_it_is_never_down),
    TEST_CASE(one_probe_goes_when_the_time_is_over),
    TEST_CASE(failed_probes_double_the_time),
    TEST_CASE(a_long_time_stays_as_it_is),
    TEST_CASE(those_that_died_together_wake_apart),
    TEST_CASE(an_administrator_may_probe_at_once),
    TEST_CASE(old_news_does_not_count),
    TEST_CASE(who_answers_is_not_down),
    TEST_CASE(a_probe_without_an_end_is_repeated),
    TEST_CASE(it_keeps_its_bounds),
};

int main(int argc, char **argv)
{
    return test_main(cases, TEST_COUNT(cases), argc, argv);
}

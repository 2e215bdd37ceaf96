#include "test.h"

#include "net/dns_silence.h"

enum { START = 1000000, SECOND = 1000, MINUTE = 60000 };

static void timeouts(struct dns_silence *s, int count, int64_t now)
{
    for (int i = 0; i < count; i++)
        dns_silence_timeout(s, now);
}

static struct dns_silence silent_since_start(void)
{
    struct dns_silence s = {0};

    timeouts(&s, 3, START);
    return s;
}

static void a_few_timeouts_are_silence_when_nobody_ever_answered(void)
{
    struct dns_silence s = {0};

    check(!dns_silence_is(&s, START));
    timeouts(&s, 2, START);
    check(!dns_silence_is(&s, START + 1));
    timeouts(&s, 1, START + 2);
    check(dns_silence_is(&s, START + 2));
}

/* Zones whose servers are gone, among others that answer. */
static void whoever_answered_of_late_is_not_silent(void)
{
    struct dns_silence s = {0};

    for (int64_t now = START; now < START + MINUTE; now += 4 * SECOND) {
        dns_silence_answer(&s, now, 20);
        timeouts(&s, 10, now);
        for (int64_t later = now; later < now + 4 * SECOND; later += 100)
            check(!dns_silence_is(&s, later));
    }
}

static void silence_comes_seconds_after_the_last_answer(void)
{
    struct dns_silence s = {0};

    dns_silence_answer(&s, START, 20);
    timeouts(&s, 2, START + SECOND);
    check(!dns_silence_is(&s, START + MINUTE));
    timeouts(&s, 1, START + SECOND);
    check(!dns_silence_is(&s, START + 5 * SECOND - 1));
    check(dns_silence_is(&s, START + 5 * SECOND));
}

static void timeouts_before_an_answer_do_not_count(void)
{
    struct dns_silence s = {0};

    timeouts(&s, 10, START);
    dns_silence_answer(&s, START, 20);
    timeouts(&s, 2, START + SECOND);
    check(!dns_silence_is(&s, START + MINUTE));
}

static void an_answer_that_took_its_time_ends_it(void)
{
    struct dns_silence s = silent_since_start();

    dns_silence_answer(&s, START + 5, 2);
    check(!dns_silence_is(&s, START + 5));
    check(!dns_silence_is(&s, START + MINUTE));
}

/* What is cached is answered at once, whoever is gone. */
static void quick_answers_say_nothing(void)
{
    struct dns_silence s = silent_since_start();

    for (int i = 0; i < 1000; i++)
        dns_silence_answer(&s, START + i, i % 2);
    check(dns_silence_is(&s, START + SECOND));
}

static void it_is_forgotten_after_some_minutes(void)
{
    struct dns_silence s = silent_since_start();

    check(dns_silence_is(&s, START + 4 * MINUTE));
    check(!dns_silence_is(&s, START + 6 * MINUTE));
    dns_silence_timeout(&s, START + 6 * MINUTE);
    check(!dns_silence_is(&s, START + 6 * MINUTE));
    s = silent_since_start();
    dns_silence_timeout(&s, START + 4 * MINUTE);
    check(dns_silence_is(&s, START + 8 * MINUTE));
}

static const struct test_case cases[] = {
    TEST_CASE(a_few_timeouts_are_silence_when_nobody_ever_answered),
    TEST_CASE(whoever_answered_of_late_is_not_silent),
    TEST_CASE(silence_comes_seconds_after_the_last_answer),
    TEST_CASE(timeouts_before_an_answer_do_not_count),
    TEST_CASE(an_answer_that_took_its_time_ends_it),
    TEST_CASE(quick_answers_say_nothing),
    TEST_CASE(it_is_forgotten_after_some_minutes),
};

int main(int argc, char **argv)
{
    return test_main(cases, TEST_COUNT(cases), argc, argv);
}

#include "test.h"

#include "net/dns_silence.h"

enum { START = 1000000, MINUTE = 60000 };

static struct dns_silence silent_since_start(void)
{
    struct dns_silence s = {0};

    for (int i = 0; i < 3; i++)
        dns_silence_timeout(&s, START);
    return s;
}

static void a_few_timeouts_in_a_row_are_silence(void)
{
    struct dns_silence s = {0};

    check(!dns_silence_is(&s, START));
    dns_silence_timeout(&s, START);
    dns_silence_timeout(&s, START + 1);
    check(!dns_silence_is(&s, START + 1));
    check(dns_silence_permits(&s, START + 1) && dns_silence_permits(&s, START + 1));
    dns_silence_timeout(&s, START + 2);
    check(dns_silence_is(&s, START + 2));
}

static void any_answer_in_between_begins_anew(void)
{
    struct dns_silence s = {0};

    for (int i = 0; i < 10; i++) {
        dns_silence_timeout(&s, START + i);
        dns_silence_timeout(&s, START + i);
        dns_silence_answer(&s, START + i, 0);
        check(!dns_silence_is(&s, START + i));
    }
}

static void one_question_a_second_goes_out(void)
{
    struct dns_silence s = silent_since_start();
    int gone = 0;

    for (int64_t now = START; now < START + 10000; now += 10)
        gone += dns_silence_permits(&s, now);
    check_number(gone, 10);
}

static void an_answer_that_took_its_time_ends_it(void)
{
    struct dns_silence s = silent_since_start();

    check(dns_silence_permits(&s, START));
    dns_silence_answer(&s, START + 5, 5);
    check(!dns_silence_is(&s, START + 5));
    check(dns_silence_permits(&s, START + 5));
}

/* What is cached is answered at once, whoever is gone. */
static void quick_answers_only_let_the_next_question_out(void)
{
    struct dns_silence s = silent_since_start();

    for (int i = 0; i < 15; i++) {
        check(dns_silence_permits(&s, START));
        check(!dns_silence_permits(&s, START));
        dns_silence_answer(&s, START, 0);
        check(dns_silence_is(&s, START));
    }
    dns_silence_timeout(&s, START);
    for (int i = 0; i < 15; i++)
        dns_silence_answer(&s, START, 1);
    check(dns_silence_is(&s, START));
    dns_silence_answer(&s, START, 1);
    check(!dns_silence_is(&s, START));
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
    TEST_CASE(a_few_timeouts_in_a_row_are_silence),
    TEST_CASE(any_answer_in_between_begins_anew),
    TEST_CASE(one_question_a_second_goes_out),
    TEST_CASE(an_answer_that_took_its_time_ends_it),
    TEST_CASE(quick_answers_only_let_the_next_question_out),
    TEST_CASE(it_is_forgotten_after_some_minutes),
};

int main(int argc, char **argv)
{
    return test_main(cases, TEST_COUNT(cases), argc, argv);
}

#include "test.h"

#include "base/clock.h"

#include <locale.h>
#include <stdlib.h>
#include <time.h>

static void now_does_not_go_back(void)
{
    int64_t last = clock_now();

    for (int i = 0; i < 10000; i++) {
        int64_t now = clock_now();

        check(now >= last);
        last = now;
    }
    check(clock_wall() / 1000 - (int64_t)time(NULL) <= 1 && clock_wall() / 1000 - (int64_t)time(NULL) >= -1);
}

static void deadlines_become_timeouts(void)
{
    int64_t now = clock_now();
    int timeout = clock_poll_timeout(now + 60000);

    check(timeout > 59000 && timeout <= 60001);
    check_number(clock_poll_timeout(now - 1), 0);
    check_number(clock_poll_timeout(0), 0);
    check_number(clock_poll_timeout(CLOCK_NEVER), -1);
    /* Far away, but not for ever, and not wrapped. */
    check(clock_poll_timeout(now + ((int64_t)1 << 40)) > 0);
    check(clock_poll_timeout(CLOCK_NEVER - 1) > 0);
    check_number(clock_earlier(3, 5), 3);
    check_number(clock_earlier(5, 3), 3);
    check_number(clock_earlier(CLOCK_NEVER, 3), 3);
    check_number(clock_earlier(CLOCK_NEVER, CLOCK_NEVER), CLOCK_NEVER);
}

static void set_zone(const char *zone)
{
    setenv("TZ", zone, 1);
    tzset();
}

/* RFC 5322 section 3.3: English names whatever the locale; a zone of four digits with its sign. */
static void dates_are_those_of_mail(void)
{
    static const struct {
        const char *zone;
        int64_t wall;
        const char *date;
    } table[] = {
        {"UTC0", 0, "Thu, 1 Jan 1970 00:00:00 +0000"},
        {"UTC0", 1795262400123, "Sat, 21 Nov 2026 12:00:00 +0000"},
        {"UTC0", 951782400000, "Tue, 29 Feb 2000 00:00:00 +0000"},
        {"JST-9", 1795262400123, "Sat, 21 Nov 2026 21:00:00 +0900"},
        {"JST-9", 1795273200000, "Sun, 22 Nov 2026 00:00:00 +0900"},
        {"NST3:30", 1795262400123, "Sat, 21 Nov 2026 08:30:00 -0330"},
        {"XXX0:30", 1795262400123, "Sat, 21 Nov 2026 11:30:00 -0030"},
        {"NPT-5:45", 2147483648000, "Tue, 19 Jan 2038 08:59:08 +0545"},
    };
    char date[CLOCK_DATE_SIZE];

    setlocale(LC_ALL, "de_DE.UTF-8");
    for (size_t i = 0; i < TEST_COUNT(table); i++) {
        set_zone(table[i].zone);
        clock_date(table[i].wall, date);
        check_text(date, table[i].date);
    }
}

static void forms_of_time(void)
{
    static const struct {
        int64_t wall;
        const char *text;
    } table[] = {
        {0, "1970-01-01T00:00:00.000Z"},
        {999, "1970-01-01T00:00:00.999Z"},
        {951782400000, "2000-02-29T00:00:00.000Z"},
        {1795262400123, "2026-11-21T12:00:00.123Z"},
        {2147483648000, "2038-01-19T03:14:08.000Z"},
    };
    char text[CLOCK_TEXT_SIZE], date[CLOCK_DATE_SIZE];

    set_zone("JST-9");
    for (size_t i = 0; i < TEST_COUNT(table); i++) {
        clock_text(table[i].wall, text);
        check_text(text, table[i].text);
    }
    /* A damaged queue may hold any number. */
    clock_text(INT64_MAX, text);
    check(strlen(text) < sizeof text);
    clock_date(INT64_MAX, date);
    check(strlen(date) < sizeof date);
    clock_text(INT64_MIN, text);
    check(strlen(text) < sizeof text);
    clock_date(INT64_MIN, date);
    check(strlen(date) < sizeof date);
}

static void spans_use_the_largest_unit(void)
{
    static const struct {
        int64_t seconds;
        const char *text;
    } table[] = {{0, "0s"}, {1, "1s"}, {45, "45s"}, {59, "59s"}, {60, "1m"}, {61, "61s"}, {90, "90s"}, {300, "5m"}, {3600, "1h"},
                 {3660, "61m"}, {14400, "4h"}, {86400, "1d"}, {90000, "25h"}, {604800, "7d"}};
    char text[CLOCK_SPAN_SIZE];

    for (size_t i = 0; i < TEST_COUNT(table); i++) {
        clock_span(table[i].seconds, text);
        check_text(text, table[i].text);
    }
    clock_span(INT64_MAX, text);
    check(strlen(text) < sizeof text);
}

static const struct test_case cases[] = {
    TEST_CASE(now_does_not_go_back),
    TEST_CASE(deadlines_become_timeouts),
    TEST_CASE(dates_are_those_of_mail),
    TEST_CASE(forms_of_time),
    TEST_CASE(spans_use_the_largest_unit),
};

int main(int argc, char **argv)
{
    return test_main(cases, TEST_COUNT(cases), argc, argv);
}

#include "test.h"

#include "conf/rate.h"

static void rates_are_read_and_written(void)
{
    static const struct {
        const char *text;
        int64_t count, ms;
        const char *written;
    } table[] = {
        {"10/second", 10, 1000, "10/second"},       {"100/minute", 100, 60000, "100/minute"}, {"1000/hour", 1000, 3600000, "1000/hour"},
        {"10/s", 10, 1000, "10/second"},            {"1/m", 1, 60000, "1/minute"},            {"1/H", 1, 3600000, "1/hour"},
        {" 5 / Minute\t", 5, 60000, "5/minute"},    {"007/hour", 7, 3600000, "7/hour"},
        {"1000000/second", 1000000, 1000, "1000000/second"},
        {"", 0, 0, ""},                             {"  ", 0, 0, ""},
    };

    for (size_t i = 0; i < TEST_COUNT(table); i++) {
        struct rate r = {-1, -1};
        char text[RATE_TEXT_SIZE];

        if (!check(rate_parse(&r, str_of(table[i].text))))
            printf("#   row %zu\n", i);
        check_number(r.count, table[i].count);
        check_number(r.ms, table[i].ms);
        rate_text(&r, text);
        check_text(text, table[i].written);
    }
}

static void all_else_is_no_rate(void)
{
    static const char *const table[] = {
        "0/second", "/second", "10", "10/", "10/day", "10/seconds", "10//second", "10/second/", "-1/second", "+1/second", "1.5/second",
        "x/second", "10 second", "1000001/second", "99999999999999999999/second", "18446744073709551617/s", "none", "/", "1 0/second",
        "10/sec", "10/second 20/hour", "0x10/second",
    };

    for (size_t i = 0; i < TEST_COUNT(table); i++) {
        struct rate r;

        if (!check(!rate_parse(&r, str_of(table[i]))))
            printf("#   %s\n", table[i]);
    }
    check(!rate_parse(&(struct rate){0}, (struct str){"10/second\0", 10}));
}

static const struct test_case cases[] = {
    TEST_CASE(rates_are_read_and_written),
    TEST_CASE(all_else_is_no_rate),
};

int main(int argc, char **argv)
{
    return test_main(cases, TEST_COUNT(cases), argc, argv);
}

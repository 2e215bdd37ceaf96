#include "test.h"

#include "report/tls_day.h"

static void days_begin_at_midnight_of_utc(void)
{
    static const struct {
        int64_t wall;
        const char *day;
    } rows[] = {{0, "1970-01-01"}, {86399999, "1970-01-01"}, {86400000, "1970-01-02"}, {1795219199999, "2026-11-20"}, {1795219200000, "2026-11-21"}};

    for (size_t i = 0; i < TEST_COUNT(rows); i++) {
        char day[TLS_DAY_SIZE];
        int64_t begin = -1;

        tls_day_text(rows[i].wall, day);
        check_text(day, rows[i].day);
        check(tls_day_read(str_of(day), &begin));
        check_number(begin, rows[i].wall - rows[i].wall % TLS_DAY_MS);
    }
}

static void nothing_else_is_a_day(void)
{
    static const char *const texts[] = {"", "2026", "2026-11", "2026-11-2", "2026-11-021", " 2026-11-21", "2026-11-21 ", "2026-02-30", "2026-13-01",
                                        "2026-00-01", "2026-11-00", "1969-12-31", "2026-11-21T00:00:00Z", "yesterday", "-2026-11-21", "2026-1-1"};
    int64_t begin;

    for (size_t i = 0; i < TEST_COUNT(texts); i++)
        if (!check(!tls_day_read(str_of(texts[i]), &begin)))
            printf("# %s\n", texts[i]);
    check(!tls_day_read(STR("2026-11-21\0"), &begin));
}

static const struct test_case cases[] = {
    TEST_CASE(days_begin_at_midnight_of_utc),
    TEST_CASE(nothing_else_is_a_day),
};

int main(int argc, char **argv)
{
    return test_main(cases, TEST_COUNT(cases), argc, argv);
}

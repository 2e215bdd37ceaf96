#include "test.h"

#include "queue/backoff.h"

static void waits_double_up_to_the_most(void)
{
    static const struct {
        int64_t min, max, attempts, middle;
    } table[] = {
        {1000, 100000, 1, 1000}, {1000, 100000, 2, 2000}, {1000, 100000, 3, 4000}, {1000, 100000, 7, 64000}, {1000, 100000, 8, 100000},
        {1000, 100000, 9, 100000}, {1000, 100000, 1000000, 100000}, {1000, 1000, 5, 1000}, {5000, 1000, 1, 1000}, {60000, 14400000, 1, 60000},
        {1, (int64_t)1 << 61, 62, (int64_t)1 << 61}, {1000, 100000, INT64_MAX, 100000},
    };

    for (size_t i = 0; i < TEST_COUNT(table); i++) {
        const struct backoff b = {.min = table[i].min, .max = table[i].max};
        int64_t least = INT64_MAX, most = 0;

        for (int k = 0; k < 2000; k++) {
            int64_t delay = backoff_delay(&b, table[i].attempts, false);

            least = delay < least ? delay : least;
            most = delay > most ? delay : most;
        }
        if (check(least >= table[i].middle - table[i].middle / 10) + check(most <= table[i].middle + table[i].middle / 10 + 1) < 2)
            printf("#   row %zu: %" PRId64 " to %" PRId64 "\n", i, least, most);
        /* They do not all come back at once. */
        if (table[i].middle >= 1000)
            check(most - least > table[i].middle / 1000 * 100 || table[i].middle > INT64_MAX / 8);
    }
}

static bool is_about(int64_t delay, int64_t middle)
{
    return delay >= middle - middle / 10 && delay <= middle + middle / 10 + 1;
}

/* The listed waits first, then those that double, never shorter than the last that was listed, and none longer than the most. */
static void lists_come_first(void)
{
    static const struct {
        const char *times, *greylist;
        int64_t attempts, ordinary, greylisted;
    } table[] = {
        {"1m;5m", "1m;2m;3m;5m;10m", 1, 60000, 60000},     {"1m;5m", "1m;2m;3m;5m;10m", 2, 300000, 120000},
        {"1m;5m", "1m;2m;3m;5m;10m", 3, 300000, 180000},   {"1m;5m", "1m;2m;3m;5m;10m", 4, 600000, 300000},
        {"1m;5m", "1m;2m;3m;5m;10m", 5, 1200000, 600000},  {"1m;5m", "1m;2m;3m;5m;10m", 6, 2400000, 600000},
        {"1m;5m", "1m;2m;3m;5m;10m", 8, 9600000, 1200000}, {"1m;5m", "1m;2m;3m;5m;10m", 100, 14400000, 14400000},
        {"", "", 1, 300000, 300000},                       {"7d", "30s", 1, 14400000, 30000},
        {"1h", "1s", 2, 3600000, 300000},
    };

    for (size_t i = 0; i < TEST_COUNT(table); i++) {
        const struct conf conf = {.deliverd_retry_min = 300000, .deliverd_retry_max = 14400000, .deliverd_retry_times = table[i].times,
                                  .deliverd_retry_greylist = table[i].greylist};
        const struct backoff b = backoff_of(&conf);

        if (check(is_about(backoff_delay(&b, table[i].attempts, false), table[i].ordinary)) +
                check(is_about(backoff_delay(&b, table[i].attempts, true), table[i].greylisted)) < 2)
            printf("#   row %zu\n", i);
    }
}

static const struct test_case cases[] = {
    TEST_CASE(lists_come_first),
    TEST_CASE(waits_double_up_to_the_most),
};

int main(int argc, char **argv)
{
    return test_main(cases, TEST_COUNT(cases), argc, argv);
}

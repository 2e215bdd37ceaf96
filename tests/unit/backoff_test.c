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
        int64_t least = INT64_MAX, most = 0;

        for (int k = 0; k < 2000; k++) {
            int64_t delay = backoff_delay(table[i].min, table[i].max, table[i].attempts);

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

static const struct test_case cases[] = {
    TEST_CASE(waits_double_up_to_the_most),
};

int main(int argc, char **argv)
{
    return test_main(cases, TEST_COUNT(cases), argc, argv);
}

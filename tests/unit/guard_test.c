#include "test.h"

#include "base/clock.h"
#include "smtpd/guard.h"

#include <poll.h>

/* They live as long as their process. */
static struct guard *make_guard(int64_t most, int64_t lock_ms, int64_t delay_ms)
{
    static struct guard *made[16];
    static size_t count;

    made[count] = guard_new(most, lock_ms, delay_ms);
    return made[count++];
}

static struct address address_of(const char *text)
{
    struct address a;

    check(address_parse(&a, str_of(text)));
    return a;
}

static void failures_are_counted_by_client_and_by_login(void)
{
    struct guard *g = make_guard(0, 60000, 100);
    struct address one = address_of("192.0.2.1"), two = address_of("192.0.2.2");
    struct guard_count c;

    c = guard_failed(g, &one, STR("alice"));
    check(c.of_client == 1 && c.of_login == 1 && !c.locked);
    check_number(c.delay, 100);
    c = guard_failed(g, &two, STR("alice"));
    check(c.of_client == 1 && c.of_login == 2);
    c = guard_failed(g, &one, STR("bob"));
    check(c.of_client == 2 && c.of_login == 1);
    c = guard_failed(g, &one, STR(""));
    check(c.of_client == 3 && c.of_login == 0);
    check_number(guard_locked(g, &one), 0);
}

static void the_delay_grows_to_a_bound(void)
{
    struct guard *g = make_guard(0, 60000, 100);
    struct address one = address_of("192.0.2.1");
    struct guard_count c = {0};
    int64_t before = 0;

    for (int i = 0; i < 100; i++) {
        c = guard_failed(g, &one, STR("alice"));
        check(c.delay >= before);
        before = c.delay;
    }
    check_number(c.delay, 1600);
}

static void a_client_is_locked_and_let_in_again(void)
{
    struct guard *g = make_guard(3, 150, 0);
    struct address one = address_of("2001:db8::1"), neighbour = address_of("2001:db8::ffff"), other = address_of("2001:db8:0:1::1");

    guard_failed(g, &one, STR("a"));
    guard_failed(g, &neighbour, STR("b"));
    check_number(guard_locked(g, &one), 0);
    check(guard_failed(g, &one, STR("c")).locked);
    check(guard_locked(g, &one) > 0 && guard_locked(g, &one) <= 150 && guard_locked(g, &neighbour) > 0);
    check_number(guard_locked(g, &other), 0);
    check(!guard_failed(g, &one, STR("c")).locked); /* it was before */
    poll(NULL, 0, 200);
    check_number(guard_locked(g, &one), 0);
    check_number(guard_failed(g, &one, STR("c")).of_client, 1);
}

static void the_table_is_bounded(void)
{
    struct guard *g = make_guard(3, 60000, 0);
    struct address a = address_of("10.0.0.0");
    char login[32];

    for (int i = 0; i < 100000; i++) {
        a.bytes[1] = (unsigned char)(i >> 16);
        a.bytes[2] = (unsigned char)(i >> 8);
        a.bytes[3] = (unsigned char)i;
        snprintf(login, sizeof login, "user%d", i);
        if (!check_number(guard_failed(g, &a, str_of(login)).of_client, 1))
            return;
    }
}

static const struct test_case cases[] = {
    TEST_CASE(failures_are_counted_by_client_and_by_login),
    TEST_CASE(the_delay_grows_to_a_bound),
    TEST_CASE(a_client_is_locked_and_let_in_again),
    TEST_CASE(the_table_is_bounded),
};

int main(int argc, char **argv)
{
    return test_main(cases, TEST_COUNT(cases), argc, argv);
}

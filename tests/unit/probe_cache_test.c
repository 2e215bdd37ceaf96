#include "test.h"

#include "base/clock.h"
#include "lmtp/probe_cache.h"

enum { TTL = 1000 };

static int64_t now = 5000000;

static int64_t read_clock(void)
{
    return now;
}

static const struct clock_source clock_here = {read_clock, read_clock};

static bool has(struct probe_cache *c, struct str address, int code)
{
    struct status s = {0};

    return probe_cache_find(c, address, &s) && s.code == code;
}

static bool has_none(struct probe_cache *c, struct str address)
{
    struct status s;

    return !probe_cache_find(c, address, &s);
}

static void keep(struct probe_cache *c, struct str address, int code)
{
    const struct status s = status_make(code, "", "words of %d", code);

    probe_cache_keep(c, address, &s, TTL);
}

static struct str number(int i, char text[32])
{
    snprintf(text, 32, "user%d@example", i);
    return str_of(text);
}

static void what_was_said_is_found(void)
{
    struct probe_cache c = {0};
    struct status s = {0};

    check(has_none(&c, STR("a@example")));
    keep(&c, STR("a@example"), 250);
    keep(&c, STR("b@example"), 550);
    check(has(&c, STR("a@example"), 250));
    check(probe_cache_find(&c, STR("b@example"), &s));
    check_number(s.code, 550);
    check_text(s.text, "words of 550");
    probe_cache_done(&c);
}

static void addresses_are_compared_to_the_letter(void)
{
    struct probe_cache c = {0};

    keep(&c, STR("Ab@example"), 250);
    check(has_none(&c, STR("ab@example")));
    check(has_none(&c, STR("Ab@exampl")));
    check(has_none(&c, STR("Ab@example2")));
    check(has(&c, STR("Ab@example"), 250));
    probe_cache_done(&c);
}

static void the_address_is_copied(void)
{
    struct probe_cache c = {0};
    char text[] = "a@example";

    keep(&c, str_of(text), 250);
    memset(text, 'x', sizeof text - 1);
    check(has(&c, STR("a@example"), 250));
    probe_cache_done(&c);
}

static void it_is_good_for_its_time(void)
{
    struct probe_cache c = {0};

    keep(&c, STR("a@example"), 250);
    now += TTL - 1;
    check(has(&c, STR("a@example"), 250));
    now++;
    check(has_none(&c, STR("a@example")));
    check_number(c.count, 0);
    probe_cache_done(&c);
}

static void the_last_word_counts(void)
{
    struct probe_cache c = {0};

    keep(&c, STR("a@example"), 250);
    now += TTL - 1;
    keep(&c, STR("a@example"), 550);
    check_number(c.count, 1);
    now += TTL - 1;
    check(has(&c, STR("a@example"), 550));
    probe_cache_done(&c);
}

static void the_oldest_go(void)
{
    struct probe_cache c = {0};
    char text[32];

    for (int i = 0; i < PROBE_CACHE_MAX; i++)
        keep(&c, number(i, text), 250);
    keep(&c, number(0, text), 550); /* no longer the oldest */
    check_number(c.count, PROBE_CACHE_MAX);
    keep(&c, STR("new@example"), 250);
    check_number(c.count, PROBE_CACHE_MAX);
    check(has_none(&c, number(1, text)));
    check(has(&c, number(0, text), 550));
    check(has(&c, number(2, text), 250));
    check(has(&c, STR("new@example"), 250));
    probe_cache_done(&c);
    check_number(c.count, 0);
    check(c.tree == NULL);
}

static void any_of_them_can_go(void)
{
    struct probe_cache c = {0};
    const char *const names[] = {"a", "b", "c"};

    for (size_t gone = 0; gone < 3; gone++) {
        for (size_t i = 0; i < 3; i++)
            keep(&c, str_of(names[i]), 250);
        now += TTL;
        check(has_none(&c, str_of(names[gone])));
        check_number(c.count, 2);
        keep(&c, STR("d"), 250);
        check(has(&c, STR("d"), 250));
        check_number(c.count, 3);
        probe_cache_done(&c);
        check(c.first == NULL && c.last == NULL && c.count == 0);
    }
}

static const struct test_case cases[] = {
    TEST_CASE(what_was_said_is_found),  TEST_CASE(addresses_are_compared_to_the_letter), TEST_CASE(the_address_is_copied),
    TEST_CASE(it_is_good_for_its_time), TEST_CASE(the_last_word_counts),                 TEST_CASE(the_oldest_go),
    TEST_CASE(any_of_them_can_go),
};

int main(int argc, char **argv)
{
    clock_use(&clock_here);
    return test_main(cases, TEST_COUNT(cases), argc, argv);
}

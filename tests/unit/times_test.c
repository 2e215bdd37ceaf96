#include "test.h"

#include "conf/times.h"

static struct buf errors;

static bool parse(struct times *t, const char *text)
{
    buf_clear(&errors);
    return times_parse(t, str_of(text), &errors);
}

static void lists_are_read(void)
{
    static const struct {
        const char *text;
        size_t count;
        int64_t ms[5];
    } table[] = {
        {"1m;5m", 2, {60000, 300000}},
        {"1m,2m;3m , 5m;10m", 5, {60000, 120000, 180000, 300000, 600000}},
        {"30", 1, {30000}},
        {"30s;5m;1h;2d", 4, {30000, 300000, 3600000, 172800000}},
        {"1;1", 2, {1000, 1000}},
        {"30d", 1, {2592000000}},
        {"2592000", 1, {2592000000}},
        {"", 0, {0}},
    };

    for (size_t i = 0; i < TEST_COUNT(table); i++) {
        struct times t;

        if (!check(parse(&t, table[i].text)))
            printf("#   %s: %s", table[i].text, buf_text(&errors));
        check_number(errors.length, 0);
        check_number(t.count, table[i].count);
        for (size_t k = 0; k < table[i].count; k++)
            check_number(t.ms[k], table[i].ms[k]);
    }
}

static void what_is_no_time_is_named(void)
{
    static const struct {
        const char *text, *named;
    } table[] = {
        {"x", "\"x\""}, {"1m;0;5m", "\"0\""}, {"31d", "\"31d\""}, {"2592001", "\"2592001\""}, {"1m;;5m", "\"\""}, {"-1m", "\"-1m\""},
        {"1m 5m", "\"1m 5m\""}, {"1w", "\"1w\""}, {"99999999999999999999d", "99999999999999999999d"}, {"1m;a\033[2Jb", "\\x1b"},
    };

    for (size_t i = 0; i < TEST_COUNT(table); i++) {
        struct times t;

        if (!check(!parse(&t, table[i].text)))
            printf("#   %s\n", table[i].text);
        check_has(buf_text(&errors), table[i].named);
        check_has(buf_text(&errors), "30s;5m;1h");
    }
}

static void each_item_has_its_line(void)
{
    struct times t;
    size_t lines = 0;

    check(!parse(&t, "x;1m;y"));
    for (size_t i = 0; i < errors.length; i++)
        lines += errors.data[i] == '\n';
    check_number(lines, 2);
    check_has(buf_text(&errors), "\"x\"");
    check_has(buf_text(&errors), "\"y\"");
}

static void there_are_at_most_32(void)
{
    struct buf text = {0};
    struct times t;

    for (int i = 0; i < TIMES_MAX; i++)
        buf_print(&text, "%s%d", i > 0 ? ";" : "", i + 1);
    check(parse(&t, buf_text(&text)));
    check_number(t.count, TIMES_MAX);
    check_number(t.ms[TIMES_MAX - 1], TIMES_MAX * 1000);
    buf_add_text(&text, ";77");
    check(!parse(&t, buf_text(&text)));
    check_has(buf_text(&errors), "\"77\"");
    check_has(buf_text(&errors), "at most 32");
    buf_done(&text);
}

static const struct test_case cases[] = {
    TEST_CASE(lists_are_read),
    TEST_CASE(what_is_no_time_is_named),
    TEST_CASE(each_item_has_its_line),
    TEST_CASE(there_are_at_most_32),
};

int main(int argc, char **argv)
{
    int status = test_main(cases, TEST_COUNT(cases), argc, argv);

    buf_done(&errors);
    return status;
}

#include "test.h"

#include "base/buf.h"

static void zeroed_is_empty_without_limit(void)
{
    struct buf b = {0};

    check_number(buf_str(&b).length, 0);
    check_text(buf_text(&b), "");
    for (int i = 0; i < 100000; i++)
        buf_add_byte(&b, (char)('a' + i % 26));
    check_number(b.length, 100000);
    check(!b.full);
    check(b.data[0] == 'a' && b.data[99999] == (char)('a' + 99999 % 26));
    buf_done(&b);
    check_number(b.length, 0);
    buf_done(&b);
}

static void appends_of_all_kinds(void)
{
    struct buf b = {0};

    buf_add(&b, STR("a\0b"));
    buf_add(&b, STR(""));
    buf_add(&b, str_of(NULL));
    buf_add_text(&b, "-");
    buf_add_number(&b, INT64_MIN);
    buf_add_byte(&b, ' ');
    buf_add_number(&b, INT64_MAX);
    buf_print(&b, " %s=%d", "x", -7);
    check_str(buf_str(&b), STR("a\0b--9223372036854775808 9223372036854775807 x=-7"));
    buf_done(&b);
}

static void text_is_closed_after_every_append(void)
{
    struct buf b = {0};

    for (int i = 0; i < 300; i++) {
        buf_add_byte(&b, 'x');
        check_number(strlen(buf_text(&b)), i + 1);
        check_number(b.length, i + 1);
    }
    buf_done(&b);
}

static void limit_is_all_or_nothing(void)
{
    struct buf b;

    buf_init(&b, 5);
    buf_add_text(&b, "abc");
    buf_add_text(&b, "def");
    check(b.full);
    check_str(buf_str(&b), STR("abc"));
    /* Sticky, even though this one fits. */
    buf_add_text(&b, "d");
    check(b.full);
    check(b.length <= 5);
    buf_clear(&b);
    check(!b.full);
    buf_add_text(&b, "12345");
    check(!b.full);
    check_text(buf_text(&b), "12345");
    buf_add_byte(&b, '6');
    check(b.full);
    check_text(buf_text(&b), "12345");
    buf_clear(&b);
    buf_print(&b, "%s", "123456");
    check(b.full && b.length == 0);
    buf_clear(&b);
    buf_add_number(&b, 123456);
    check(b.full && b.length == 0);
    buf_clear(&b);
    buf_print(&b, "%s", "12345");
    check(!b.full && b.length == 5);
    buf_done(&b);
}

static void room_is_written_in_place(void)
{
    struct buf b;
    char *room;

    buf_init(&b, 100);
    buf_add_text(&b, "ab");
    room = buf_room(&b, 98);
    if (check(room != NULL)) {
        memset(room, 'x', 98);
        buf_grew(&b, 3);
        check_text(buf_text(&b), "abxxx");
    }
    check(buf_room(&b, 96) == NULL);
    check(buf_room(&b, SIZE_MAX) == NULL);
    check(buf_room(&b, SIZE_MAX - 4) == NULL);
    buf_done(&b);
}

static void long_prints(void)
{
    struct buf b = {0};
    char text[5000];

    memset(text, 'y', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    buf_print(&b, "<%s>", text);
    check_number(b.length, sizeof text + 1);
    check(b.data[0] == '<' && b.data[b.length - 1] == '>');
    buf_done(&b);
}

static const struct test_case cases[] = {
    TEST_CASE(zeroed_is_empty_without_limit),
    TEST_CASE(appends_of_all_kinds),
    TEST_CASE(text_is_closed_after_every_append),
    TEST_CASE(limit_is_all_or_nothing),
    TEST_CASE(room_is_written_in_place),
    TEST_CASE(long_prints),
};

int main(int argc, char **argv)
{
    return test_main(cases, TEST_COUNT(cases), argc, argv);
}

#include "test.h"

#include "base/status.h"

static void first_digit_decides(void)
{
    static const struct {
        int code;
        bool ok, temporary, permanent;
    } table[] = {{0, true, false, false},   {200, true, false, false}, {250, true, false, false}, {354, true, false, false},
                 {399, true, false, false}, {400, false, true, false}, {421, false, true, false}, {499, false, true, false},
                 {500, false, false, true}, {554, false, false, true}, {599, false, false, true}};

    for (size_t i = 0; i < TEST_COUNT(table); i++) {
        struct status s = status_make(table[i].code, "", "x");

        check(status_is_ok(&s) == table[i].ok);
        check(status_is_temporary(&s) == table[i].temporary);
        check(status_is_permanent(&s) == table[i].permanent);
    }
    struct status zero = {0}, ok = status_ok();
    check(status_is_ok(&zero) && status_is_ok(&ok));
}

static void enhanced_codes_come_and_go(void)
{
    struct status s = status_make(550, "5.1.1", "no %s", "user");
    char to[STATUS_ENHANCED_SIZE];

    check_number(s.code, 550);
    check_text(s.text, "no user");
    status_enhanced(&s, to);
    check_text(to, "5.1.1 ");
    s = status_make(250, "", "ok");
    status_enhanced(&s, to);
    check_text(to, "");
    s = status_make(550, "5.999.999", "x");
    status_enhanced(&s, to);
    check_text(to, "5.999.999 ");
}

/* RFC 3463 section 2: class 2, 4 or 5; subject and detail 1*3digit. */
static void enhanced_codes_are_read(void)
{
    static const struct {
        const char *text;
        size_t length;
        short class, subject, detail;
    } table[] = {
        {"5.1.1 no", 5, 5, 1, 1}, {"2.0.0", 5, 2, 0, 0}, {"4.123.456 x", 9, 4, 123, 456}, {"5.7.26 x", 6, 5, 7, 26},
        {"3.1.1 x", 0, 0, 0, 0}, {"1.1.1 x", 0, 0, 0, 0}, {"5.1.1x", 0, 0, 0, 0}, {"5.1.1.1 x", 0, 0, 0, 0}, {"5.1", 0, 0, 0, 0},
        {"5.1. x", 0, 0, 0, 0}, {"5..1 x", 0, 0, 0, 0}, {"5.1234.1 x", 0, 0, 0, 0}, {"5.1.1234 x", 0, 0, 0, 0}, {"", 0, 0, 0, 0},
        {" 5.1.1 x", 0, 0, 0, 0}, {"55.1.1 x", 0, 0, 0, 0}, {"5,1,1 x", 0, 0, 0, 0}, {"5.1.", 0, 0, 0, 0}, {"5", 0, 0, 0, 0},
        {"5.-1.1 x", 0, 0, 0, 0}, {"5.1.+1 x", 0, 0, 0, 0},
    };

    for (size_t i = 0; i < TEST_COUNT(table); i++) {
        struct status s = {0};
        size_t length = status_parse_enhanced(str_of(table[i].text), &s);

        if (!check_number(length, table[i].length) || !check_number(s.class, table[i].class) ||
            !check_number(s.subject, table[i].subject) || !check_number(s.detail, table[i].detail))
            printf("#   %s\n", table[i].text);
    }
    /* It does not read past the end. */
    for (size_t length = 0; length < 5; length++) {
        char exact[5];
        struct status s = {0};

        memcpy(exact, "5.1.1", 5);
        check_number(status_parse_enhanced((struct str){exact, length}, &s), 0);
    }
}

static void text_is_one_printable_line(void)
{
    struct status s = status_make(550, "", "%s", "a\r\n250 ok\x1b[2J\x7f\tb");

    check_text(s.text, "a??250 ok?[2J??b");
    status_set_text(&s, STR("nul\0in"));
    check_text(s.text, "nul?in");
    for (int c = 0; c < 256; c++) {
        char byte = (char)c;

        status_set_text(&s, (struct str){&byte, 1});
        check_number(s.text[0], c < 32 || c == 127 ? '?' : byte);
        check_number(s.text[1], 0);
    }
}

static void text_is_cut_to_fit(void)
{
    char text[STATUS_TEXT_SIZE + 10];
    struct status s = {0};

    memset(text, 'x', sizeof text);
    status_set_text(&s, (struct str){text, STATUS_TEXT_SIZE - 1});
    check_number(strlen(s.text), STATUS_TEXT_SIZE - 1);
    status_set_text(&s, (struct str){text, STATUS_TEXT_SIZE});
    check_number(strlen(s.text), STATUS_TEXT_SIZE - 1);
    text[sizeof text - 1] = '\0';
    s = status_make(250, "", "%s", text);
    check_number(strlen(s.text), STATUS_TEXT_SIZE - 1);
}

static const struct test_case cases[] = {
    TEST_CASE(first_digit_decides),
    TEST_CASE(enhanced_codes_come_and_go),
    TEST_CASE(enhanced_codes_are_read),
    TEST_CASE(text_is_one_printable_line),
    TEST_CASE(text_is_cut_to_fit),
};

int main(int argc, char **argv)
{
    return test_main(cases, TEST_COUNT(cases), argc, argv);
}

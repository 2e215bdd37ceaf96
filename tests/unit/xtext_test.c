#include "test.h"

#include "smtp/xtext.h"

/* RFC 3461 section 4: xchar is any ASCII CHAR between "!" and "~" inclusive, except "+" and "="; hexchar is "+" and two of 0-9 A-F. */
static void every_octet_by_itself(void)
{
    for (int c = 0; c < 256; c++) {
        char byte = (char)c;

        if (!check(xtext_is_valid((struct str){&byte, 1}) == (c >= '!' && c <= '~' && c != '+' && c != '=')))
            printf("#   %d\n", c);
    }
}

static void hexchars(void)
{
    for (int a = 0; a < 256; a++) {
        char first[] = {'+', (char)a, '0'}, second[] = {'x', '+', 'F', (char)a};
        bool hex = (a >= '0' && a <= '9') || (a >= 'A' && a <= 'F');

        check(xtext_is_valid((struct str){first, 3}) == hex);
        check(xtext_is_valid((struct str){second, 4}) == hex);
        check(!xtext_is_valid((struct str){first, 2}));
        check(!xtext_is_valid((struct str){first, 1}));
    }
    check(xtext_is_valid(STR("")));
    check(xtext_is_valid(STR("a+2Bb+3D")));
    check(!xtext_is_valid(STR("+2B+")));
}

static void what_is_written_is_read_again(void)
{
    char all[256];
    struct buf written = {0}, read = {0};

    for (int c = 0; c < 256; c++)
        all[c] = (char)c;
    xtext_write((struct str){all, sizeof all}, &written);
    check(xtext_read(buf_str(&written), &read));
    check(str_equal(buf_str(&read), (struct str){all, sizeof all}));
    check(!xtext_read(STR("a+2"), &read) && !xtext_read(STR("a b"), &read));
    buf_done(&written);
    buf_done(&read);
}

static void envids_are_bounded(void)
{
    char text[101];

    memset(text, 'x', sizeof text);
    check(xtext_is_envid((struct str){text, 99}));
    check(xtext_is_envid((struct str){text, 100}));
    check(!xtext_is_envid((struct str){text, 101}));
    check(!xtext_is_envid(STR("")));
    check(!xtext_is_envid(STR("a b")));
}

static void anything_can_be_written(void)
{
    struct buf all = {0}, text = {0};

    xtext_write(STR("a+b=c d~!@\xc3\xa4"), &text);
    check_str(buf_str(&text), STR("a+2Bb+3Dc+20d~!@+C3+A4"));
    for (int c = 0; c < 256; c++)
        buf_add_byte(&all, (char)c);
    buf_clear(&text);
    xtext_write(buf_str(&all), &text);
    check(xtext_is_valid(buf_str(&text)));
    check_number(text.length, 92 + 3 * (256 - 92));
    buf_done(&all);
    buf_done(&text);
}

static void orcpts(void)
{
    static const struct {
        const char *text;
        bool plain, utf8;
    } table[] = {
        {"rfc822;a@b", true, true}, {"x-y-1;z", true, true}, {"rfc822;a+2Bb@c", true, true}, {"rfc822;;", true, true}, {"utf-8;\xc3\xa4@b", false, true},
        {"utf-8;\\x{E4}@b", true, true}, {"rfc822;a+2b@c", false, false}, {"utf-8;\xff@b", false, false}, {"utf-8;\xc3\xa4 b", false, false},
        {"utf-8;\xc3\xa4\x7f", false, false}, {"utf-8;\xc3\xa4\n", false, false}, {"utf-8;\xc3\xa4=b", false, false}, {"", false, false}, {";", false, false}, {"a", false, false}, {"a;", false, false},
        {";a", false, false}, {"a b;c", false, false}, {"a=b;c", false, false}, {"\xc3\xa4;c", false, false}, {"a;b=c", false, false},
    };

    for (size_t i = 0; i < TEST_COUNT(table); i++)
        if (!check(xtext_is_orcpt(str_of(table[i].text), false) == table[i].plain) || !check(xtext_is_orcpt(str_of(table[i].text), true) == table[i].utf8))
            printf("#   %s\n", table[i].text);
}

static void orcpts_are_bounded(void)
{
    char text[502] = "rfc822;";

    memset(text + 7, 'x', sizeof text - 7);
    check(xtext_is_orcpt((struct str){text, 499}, false));
    check(xtext_is_orcpt((struct str){text, 500}, false));
    check(!xtext_is_orcpt((struct str){text, 501}, false));
    check(!xtext_is_orcpt((struct str){text, 501}, true));
}

static const struct test_case cases[] = {
    TEST_CASE(every_octet_by_itself),
    TEST_CASE(hexchars),
    TEST_CASE(what_is_written_is_read_again),
    TEST_CASE(envids_are_bounded),
    TEST_CASE(anything_can_be_written),
    TEST_CASE(orcpts),
    TEST_CASE(orcpts_are_bounded),
};

int main(int argc, char **argv)
{
    return test_main(cases, TEST_COUNT(cases), argc, argv);
}

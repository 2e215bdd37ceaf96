#include "test.h"

#include "report/mime.h"

static struct buf text;

static const char *taken(void)
{
    static char copy[4096];

    snprintf(copy, sizeof copy, "%s", buf_text(&text));
    buf_done(&text);
    return copy;
}

static const char *clean(struct str s, bool utf8)
{
    mime_clean(s, utf8, &text);
    return taken();
}

static const char *decoded(const char *value)
{
    mime_decode_words(str_of(value), &text);
    return taken();
}

static const char *quoted(const char *value)
{
    mime_quoted_printable(str_of(value), &text);
    return taken();
}

static void clean_text_is_one_line(void)
{
    check_text(clean(STR("a\tb\r\nc\0d\x7f"), false), "a b??c?d?");
    check_text(clean(STR("\xc3\xa9\xff\xe4\xbe\x8b"), true), "\xc3\xa9?\xe4\xbe\x8b");
    check_text(clean(STR("\xc3\xa9\xff\xe4\xbe\x8b"), false), "???");
    for (int i = 0; i < 1000; i++)
        buf_add_text(&text, "\xe4\xbe\x8b");
    {
        struct buf cut = {0};

        mime_clean(buf_str(&text), true, &cut);
        check(cut.length >= MIME_TEXT_MAX && cut.length < MIME_TEXT_MAX + 4 && str_is_utf8(buf_str(&cut)));
        buf_done(&cut);
    }
    buf_done(&text);
}

static void fields_are_folded_at_spaces(void)
{
    mime_field(&text, "Name", STR("  aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa   bbbbbbbbbbbbbbbbbbbbbbbbbbbbbb cccccccccc dd e"), false);
    check_text(taken(), "Name: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa bbbbbbbbbbbbbbbbbbbbbbbbbbbbbb cccccccccc\r\n dd e\r\n");
    mime_exact_field(&text, "Name", STR("a  b\n"), false);
    check_text(taken(), "Name: a  b?\r\n");
    mime_field(&text, "Name", STR(" \t "), false);
    mime_exact_field(&text, "Name", STR(""), false);
    mime_unstructured(&text, "Name", STR(" "), false);
    check_text(taken(), "");
}

static void text_beyond_ascii_is_in_encoded_words(void)
{
    struct buf value = {0};

    mime_unstructured(&text, "Subject", STR("h\xc3\xa9"), false);
    check_text(taken(), "Subject: =?UTF-8?B?aMOp?=\r\n");
    mime_unstructured(&text, "Subject", STR("h\xc3\xa9"), true);
    check_text(taken(), "Subject: h\xc3\xa9\r\n");
    for (int i = 0; i < 100; i++)
        buf_add_text(&value, i % 10 == 9 ? " " : "\xe4\xbe\x8b");
    mime_unstructured(&text, "Subject", buf_str(&value), false);
    {
        struct str rest = buf_str(&text), line;
        struct buf words = {0}, back = {0};

        while (rest.length > 0 && str_cut(&rest, '\n', &line)) {
            check(line.length <= 79);
            buf_add(&words, str_part(line, 0, line.length - 1));
        }
        mime_decode_words(str_from(buf_str(&words), strlen("Subject: ")), &back);
        check_str(buf_str(&back), buf_str(&value));
        buf_done(&words);
        buf_done(&back);
    }
    buf_done(&value);
    buf_done(&text);
}

/* RFC 2047 section 8 has most of these. */
static void encoded_words_are_read(void)
{
    check_text(decoded("=?ISO-8859-1?Q?a?="), "a");
    check_text(decoded("=?ISO-8859-1?Q?a?= b"), "a b");
    check_text(decoded("=?ISO-8859-1?Q?a?=  =?ISO-8859-1?Q?b?="), "ab");
    check_text(decoded("=?ISO-8859-1?Q?a_b?="), "a b");
    check_text(decoded("x =?iso-8859-1*fr?q?=E9t=e9?="), "x \xc3\xa9t\xc3\xa9");
    check_text(decoded("=?utf-8?b?aMOp?=\t=?US-ASCII?Q?!?= =?utf-8?q?!?="), "h\xc3\xa9!!");
    check_text(decoded("=?gb2312?b?xOM=?= =?utf-8?x?a?= =?utf-8?q?=4?= =?utf-8?b?a?= =?utf-8?q?a?b?= =?= =?\?="),
               "=?gb2312?b?xOM=?= =?utf-8?x?a?= =?utf-8?q?=4?= =?utf-8?b?a?= =?utf-8?q?a?b?= =?= =?\?=");
    check_text(decoded("no words,  two spaces"), "no words, two spaces");
    check_text(decoded(""), "");
}

static void quoted_printable_keeps_lines_short(void)
{
    check_text(quoted("a=b\xc3\xa9\r\n"), "a=3Db=C3=A9\r\n");
    check_text(quoted("a \r\nb\t\r\n c\r\n"), "a=20\r\nb=09\r\n c\r\n");
    check_text(quoted("0123456789012345678901234567890123456789012345678901234567890123456789012345\r\n"),
               "012345678901234567890123456789012345678901234567890123456789012345678901234=\r\n5\r\n");
    check_text(quoted("\r\n\r\n"), "\r\n\r\n");
    check_text(quoted("no end"), "no end\r\n");
}

static void long_lines_are_seen(void)
{
    for (int i = 0; i < MIME_LINE_MAX; i++)
        buf_add_byte(&text, 'x');
    buf_add_text(&text, "\r\nx\r\n");
    check(mime_lines_fit(buf_str(&text)));
    buf_add_text(&text, "x");
    for (int i = 0; i < MIME_LINE_MAX; i++)
        buf_add_byte(&text, 'x');
    buf_add_text(&text, "\r\n");
    check(!mime_lines_fit(buf_str(&text)));
    buf_done(&text);
}

static const struct test_case cases[] = {
    TEST_CASE(clean_text_is_one_line),
    TEST_CASE(fields_are_folded_at_spaces),
    TEST_CASE(text_beyond_ascii_is_in_encoded_words),
    TEST_CASE(encoded_words_are_read),
    TEST_CASE(quoted_printable_keeps_lines_short),
    TEST_CASE(long_lines_are_seen),
};

int main(int argc, char **argv)
{
    return test_main(cases, TEST_COUNT(cases), argc, argv);
}

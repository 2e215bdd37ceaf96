#include "test.h"

#include "base/str.h"

static void parts_stay_inside(void)
{
    struct str s = STR("abcdef");

    check_str(str_part(s, 0, 6), s);
    check_str(str_part(s, 2, 3), STR("cde"));
    check_str(str_part(s, 2, 0), STR(""));
    check_str(str_from(s, 0), s);
    check_str(str_from(s, 5), STR("f"));
    check_number(str_from(s, 6).length, 0);
    check_number(str_of(NULL).length, 0);
    check_str(str_of("ab"), STR("ab"));
}

static void trim_takes_spaces_and_tabs_only(void)
{
    check_str(str_trim(STR(" \t a b \t")), STR("a b"));
    check_str(str_trim(STR("\ra\n")), STR("\ra\n"));
    check_str(str_trim(STR("\0 ")), STR("\0"));
    check_number(str_trim(STR(" \t ")).length, 0);
    check_number(str_trim(STR("")).length, 0);
}

static void equality_is_of_all_bytes(void)
{
    check(str_equal(STR("a\0b"), STR("a\0b")));
    check(!str_equal(STR("a\0b"), STR("a\0c")));
    check(!str_equal(STR("ab"), STR("abc")));
    check(!str_equal(STR("ab"), STR("aB")));
    check(str_equal(STR(""), str_of(NULL)));
    check(str_equal_nocase(STR("RcPt"), STR("rCpT")));
    check(!str_equal_nocase(STR("rcpt"), STR("rcp")));
    /* ASCII case only: [ is not {, and bytes over 127 have none. */
    check(!str_equal_nocase(STR("["), STR("{")));
    check(!str_equal_nocase(STR("@"), STR("`")));
    check(!str_equal_nocase(STR("\xc4"), STR("\xe4")));
    for (int c = 0; c < 256; c++)
        check_number(ascii_lower((char)c), c >= 'A' && c <= 'Z' ? c + 32 : (char)c);
}

static void prefixes_and_suffixes(void)
{
    check(str_starts(STR("FROM:<a>"), STR("FROM:")));
    check(!str_starts(STR("FROM"), STR("FROM:")));
    check(str_starts(STR("x"), STR("")));
    check(!str_starts(STR("from:"), STR("FROM:")));
    check(str_starts_nocase(STR("from:"), STR("FROM:")));
    check(!str_starts_nocase(STR("from"), STR("FROM:")));
    check(str_ends(STR("a.example"), STR(".example")));
    check(!str_ends(STR("example"), STR(".example")));
    check(str_ends(STR(""), STR("")));
}

static void finding(void)
{
    check_number(str_find(STR("a\0b\0"), '\0', 0), 1);
    check_number(str_find(STR("a\0b\0"), '\0', 2), 3);
    check_number(str_find(STR("abc"), 'x', 0), 3);
    check_number(str_find(STR("abc"), 'c', 3), 3);
    check_number(str_find(STR(""), 'a', 0), 0);
    check(str_has(STR("a\0b"), '\0') && str_has(STR("ab"), 'b') && !str_has(STR(""), 'b'));
}

static void classes_of_bytes(void)
{
    for (int c = 0; c < 256; c++) {
        char byte = (char)c;
        struct str s = {&byte, 1};

        check_number(str_is_ascii(s), c < 128);
        check_number(str_has_control(s), c < 32 || c == 127);
        check_number(str_is_utf8(s), c < 128);
    }
    check(str_is_ascii(STR("")) && str_is_utf8(STR("")) && !str_has_control(STR("")));
    check(str_has_control(STR("abc\n")) && str_has_control(STR("\0")));
    check(!str_is_ascii(STR("abc\x80")));
}

/* RFC 3629 section 4, and what section 10 warns of. */
static void utf8_is_strict(void)
{
    static const struct {
        struct str bytes;
        bool good;
    } table[] = {
        {{"\xc2\x80", 2}, true},          {{"\xdf\xbf", 2}, true},          {{"\xe0\xa0\x80", 3}, true},
        {{"\xed\x9f\xbf", 3}, true},      {{"\xee\x80\x80", 3}, true},      {{"\xef\xbf\xbf", 3}, true},
        {{"\xf0\x90\x80\x80", 4}, true},  {{"\xf4\x8f\xbf\xbf", 4}, true},  {{"\xf3\xa0\x80\x80", 4}, true},
        {{"a\xc3\xa9z", 4}, true},        {{"\xc3\xa9\xc3", 3}, false},
        {{"\xc0\x80", 2}, false},         {{"\xc1\xbf", 2}, false},         {{"\xe0\x9f\xbf", 3}, false},
        {{"\xe0\x80\x80", 3}, false},     {{"\xed\xa0\x80", 3}, false},     {{"\xed\xbf\xbf", 3}, false},
        {{"\xf0\x8f\xbf\xbf", 4}, false}, {{"\xf4\x90\x80\x80", 4}, false}, {{"\xf5\x80\x80\x80", 4}, false},
        {{"\xf8\x88\x80\x80\x80", 5}, false}, {{"\xfe", 1}, false},         {{"\x80", 1}, false},
        {{"\xe2\x82", 2}, false},         {{"\xf0\x9f\x98", 3}, false},     {{"\xe2\x28\xa1", 3}, false},
        {{"\xe2\x82\x28", 3}, false},     {{"\xf0\x28\x8c\xbc", 4}, false}, {{"\xf0\x90\x28\xbc", 4}, false},
        {{"\xf0\x90\x80\x28", 4}, false}, {{"\xc3\xc3\xa9", 3}, false},
    };

    for (size_t i = 0; i < TEST_COUNT(table); i++)
        if (!check(str_is_utf8(table[i].bytes) == table[i].good))
            printf("#   row %zu\n", i);
}

static void characters_have_their_length(void)
{
    check_number(str_character(STR("ab")), 1);
    check_number(str_character(STR("\xc3\xa9z")), 2);
    check_number(str_character(STR("\xe2\x82\xac\x80")), 3);
    check_number(str_character(STR("\xf0\x9f\x98\x80")), 4);
    check_number(str_character(STR("\0")), 1);
    check_number(str_character(STR("")), 0);
    check_number(str_character(STR("\x80 a")), 0);
    check_number(str_character(STR("\xe2\x82")), 0);
}

static void cutting_gives_each_part_once(void)
{
    struct str rest = STR("a,,b,"), part;

    check(str_cut(&rest, ',', &part));
    check_str(part, STR("a"));
    check(str_cut(&rest, ',', &part));
    check_str(part, STR(""));
    check(str_cut(&rest, ',', &part));
    check_str(part, STR("b"));
    /* N separators make N + 1 parts. */
    check(str_cut(&rest, ',', &part));
    check_str(part, STR(""));
    check(!str_cut(&rest, ',', &part));
    rest = STR("one");
    check(str_cut(&rest, ',', &part));
    check_str(part, STR("one"));
    check(!str_cut(&rest, ',', &part));
    check(!str_cut(&rest, ',', &part));
    rest = STR("");
    check(str_cut(&rest, ',', &part));
    check_str(part, STR(""));
    check(!str_cut(&rest, ',', &part));
    rest = STR("a;b,c");
    check(str_cut_any(&rest, ",;", &part));
    check_str(part, STR("a"));
    check(str_cut_any(&rest, ",;", &part));
    check_str(part, STR("b"));
    check(str_cut_any(&rest, ",;", &part));
    check_str(part, STR("c"));
    check(!str_cut_any(&rest, ",;", &part));
    /* A NUL is a byte like any other, and not the end of the separators. */
    rest = STR("a\0b,c");
    check(str_cut_any(&rest, ",;", &part));
    check_str(part, STR("a\0b"));
}

static void numbers_are_digits_within_bounds(void)
{
    static const struct {
        const char *text;
        uint64_t max;
        bool good;
        uint64_t value;
    } table[] = {
        {"0", 0, true, 0}, {"7", 7, true, 7}, {"8", 7, false, 0}, {"1000", 999, false, 0}, {"999", 999, true, 999},
        {"007", 7, true, 7}, {"", 9, false, 0}, {"-1", 9, false, 0}, {"+1", 9, false, 0}, {" 1", 9, false, 0}, {"1 ", 9, false, 0},
        {"1a", 99, false, 0}, {"0x1", 99, false, 0}, {"1.0", 99, false, 0},
        {"18446744073709551615", UINT64_MAX, true, UINT64_MAX}, {"18446744073709551616", UINT64_MAX, false, 0},
        {"18446744073709551625", UINT64_MAX, false, 0}, {"99999999999999999999999999", UINT64_MAX, false, 0},
        {"9223372036854775807", INT64_MAX, true, INT64_MAX}, {"9223372036854775808", INT64_MAX, false, 0},
        {"00000000000000000000000000000000000001", 5, true, 1},
    };

    for (size_t i = 0; i < TEST_COUNT(table); i++) {
        uint64_t value = 0;
        bool good = str_number(str_of(table[i].text), table[i].max, &value);

        if (!check(good == table[i].good) || (good && !check(value == table[i].value)))
            printf("#   %s\n", table[i].text);
    }
    uint64_t value;
    check(!str_number(STR("1\0"), 9, &value));
}

static void copies_fit_or_are_empty(void)
{
    char to[4] = "xxx";

    check(str_copy(STR("abc"), to, sizeof to));
    check_text(to, "abc");
    check(!str_copy(STR("abcd"), to, sizeof to));
    check_text(to, "");
    check(str_copy(STR(""), to, sizeof to));
    check_text(to, "");
    check(!str_copy(STR("a\0b"), to, sizeof to));
    check_text(to, "");
    check(str_copy(STR("ab"), to, 3));
    check(!str_copy(STR("abc"), to, 3));
}

static const struct test_case cases[] = {
    TEST_CASE(parts_stay_inside),
    TEST_CASE(trim_takes_spaces_and_tabs_only),
    TEST_CASE(equality_is_of_all_bytes),
    TEST_CASE(prefixes_and_suffixes),
    TEST_CASE(finding),
    TEST_CASE(classes_of_bytes),
    TEST_CASE(utf8_is_strict),
    TEST_CASE(characters_have_their_length),
    TEST_CASE(cutting_gives_each_part_once),
    TEST_CASE(numbers_are_digits_within_bounds),
    TEST_CASE(copies_fit_or_are_empty),
};

int main(int argc, char **argv)
{
    return test_main(cases, TEST_COUNT(cases), argc, argv);
}

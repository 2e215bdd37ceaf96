#include "test.h"

#include "base/base64.h"

/* RFC 4648 section 10, and the letters that it does not show. */
static const struct {
    const char *bytes, *text;
} pairs[] = {
    {"", ""}, {"f", "Zg=="}, {"fo", "Zm8="}, {"foo", "Zm9v"}, {"foob", "Zm9vYg=="}, {"fooba", "Zm9vYmE="}, {"foobar", "Zm9vYmFy"}, {"\xfb\xff\xbf", "+/+/"},
};

static void the_vectors_of_the_rfc(void)
{
    for (size_t i = 0; i < TEST_COUNT(pairs); i++) {
        struct buf text = {0}, bytes = {0};

        base64_encode(str_of(pairs[i].bytes), &text);
        check_str(buf_str(&text), str_of(pairs[i].text));
        check(base64_decode(str_of(pairs[i].text), &bytes));
        check_str(buf_str(&bytes), str_of(pairs[i].bytes));
        buf_done(&text);
        buf_done(&bytes);
    }
}

static void every_byte_comes_back(void)
{
    char all[256];

    for (int i = 0; i < 256; i++)
        all[i] = (char)(unsigned char)i;
    for (size_t length = 0; length <= sizeof all; length++) {
        struct buf text = {0}, bytes = {0};

        base64_encode((struct str){all, length}, &text);
        check_number(text.length, (length + 2) / 3 * 4);
        check(base64_decode(buf_str(&text), &bytes));
        check_str(buf_str(&bytes), ((struct str){all, length}));
        buf_done(&text);
        buf_done(&bytes);
    }
}

static void both_append(void)
{
    struct buf b = {0};

    buf_add(&b, STR("a"));
    base64_encode(STR("foo"), &b);
    check(base64_decode(STR("Zm8="), &b));
    check_str(buf_str(&b), STR("aZm9vfo"));
    buf_done(&b);
}

static void reading_is_strict(void)
{
    const struct str bad[] = {
        STR("Z"), STR("Zg"), STR("Zg="), STR("Zm8"), STR("="), STR("=="), STR("==="), STR("===="), STR("Z==="), STR("Zg==="), STR("Zg==Zg=="), STR("Zm8=Zm8="), STR("Zm=v"),
        STR("=m9v"), STR("Zh=="), STR("Zv=="), STR("Zm9="), STR("Zm9v\n"), STR("Zm 9v"), STR(" Zm9v"), STR("Zm9v    "), STR("Zm9-"), STR("Zm9_"), STR("Zm\x00v"),
        STR("Zm9\xc3"), STR("Zm9v\r\n\r\n"), STR("Zm9vZg=\0"),
    };

    for (size_t i = 0; i < TEST_COUNT(bad); i++) {
        struct buf b = {0};

        buf_add(&b, STR("kept"));
        if (!check(!base64_decode(bad[i], &b)) || !check_str(buf_str(&b), STR("kept")))
            printf("#   %.*s\n", STR_ARG(bad[i]));
        buf_done(&b);
    }
}

static void a_limit_holds(void)
{
    struct buf b;

    buf_init(&b, 4);
    check(base64_decode(STR("Zm9vYg=="), &b));
    check(!base64_decode(STR("Zg=="), &b));
    check(b.full);
    check_str(buf_str(&b), STR("foob"));
    buf_clear(&b);
    base64_encode(STR("foob"), &b);
    check(b.full && b.length == 0);
    buf_done(&b);
}

static const struct test_case cases[] = {
    TEST_CASE(the_vectors_of_the_rfc),
    TEST_CASE(every_byte_comes_back),
    TEST_CASE(both_append),
    TEST_CASE(reading_is_strict),
    TEST_CASE(a_limit_holds),
};

int main(int argc, char **argv)
{
    return test_main(cases, TEST_COUNT(cases), argc, argv);
}

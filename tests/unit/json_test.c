#include "test.h"

#include "base/json.h"

/* Whether TEXT is taken as an object. */
static bool is_object(struct str text)
{
    struct json *j = json_parse_object(text);
    bool taken = j != NULL;

    json_free(&j);
    check(j == NULL);
    return taken;
}

static void objects_are_taken(void)
{
    check(is_object(STR("{}")));
    check(is_object(STR(" \r\n\t{\"a\": [1, -2.5e3, null, true, {\"b\": \"\\u00e9\"}]}\n")));
    check(is_object(STR("{\"\xc3\xa9\": \"\xf0\x9f\x98\x80\"}")));
}

static void all_else_is_refused(void)
{
    static const struct {
        struct str text;
    } table[] = {
        {{"", 0}}, {{" ", 1}}, {{"[]", 2}}, {{"\"a\"", 3}}, {{"1", 1}}, {{"null", 4}}, {{"{", 1}}, {{"{}x", 3}}, {{"{}{}", 4}},
        {{"{\"a\"}", 5}},
        {{"{\"a\":1,}", 8}}, {{"{a:1}", 5}}, {{"{'a':1}", 7}}, {{"{}\0", 3}}, {{"{\"a\":\"\0\"}", 9}}, {{"{\"a\":\"\\u0000\"}", 14}},
        {{"{\"a\\u0000b\":1}", 14}}, {{"{\"a\":1,\"a\":2}", 13}}, {{"{\"a\":1,\"\\u0061\":2}", 18}},
        {{"{\"a\":\"\x80\"}", 9}}, {{"{\"a\":\"\n\"}", 9}},
        {{"{\"a\":\"\\ud800\"}", 14}}, {{"{\"a\":\"\xed\xa0\x80\"}", 11}}, {{"{\"a\":\"b", 7}}, {{"{\"a\":\"b\\", 8}},
        {{"\xef\xbb\xbf{}", 5}}, {{"{\"a\":NaN}", 9}},
        {{"{\"a\":99999999999999999999}", 26}}, {{"<html>", 6}},
    };

    for (size_t i = 0; i < TEST_COUNT(table); i++)
        if (!check(!is_object(table[i].text)))
            printf("#   %.*s\n", STR_ARG(table[i].text));
}

/* DEPTH objects and arrays in turn, in pairs of brackets or unclosed. */
static bool takes_depth(int depth, bool closed)
{
    struct buf text = {0};
    bool taken;

    for (int i = 0; i < depth; i++)
        buf_add_text(&text, i % 2 == 0 ? "{\"a\":" : "[");
    buf_add_text(&text, "1");
    for (int i = depth; closed && i-- > 0;)
        buf_add_byte(&text, i % 2 == 0 ? '}' : ']');
    taken = is_object(buf_str(&text));
    buf_done(&text);
    return taken;
}

static void nesting_has_a_bound(void)
{
    check(takes_depth(1, true));
    check(takes_depth(JSON_DEPTH_MAX, true));
    check(!takes_depth(JSON_DEPTH_MAX + 1, true));
    check(!takes_depth(100000, true));
    check(!takes_depth(100000, false));
}

static void nesting_is_not_what_strings_hold(void)
{
    struct buf text = {0};

    buf_add_text(&text, "{\"\\\"{{\":\"\\\\\",\"a\":\"");
    for (int i = 0; i < 1000; i++)
        buf_add_text(&text, "[{\\\"");
    buf_add_text(&text, "\",\"b\":[");
    for (int i = 0; i < 1000; i++)
        buf_add_text(&text, i > 0 ? ",[]" : "[]");
    buf_add_text(&text, "]}");
    check(is_object(buf_str(&text)));
    buf_done(&text);
}

static void members_have_their_kind(void)
{
    struct json *j = json_parse_object(STR("{\"s\":\"a\\n\\u00e9\",\"e\":\"\",\"n\":-7,\"t\":\"3600\",\"r\":1.5,\"b\":true,\"z\":null,\"o\":{},"
                                           "\"bad\":\"-1\",\"max\":9223372036854775807,\"tmax\":\"9223372036854775807\","
                                           "\"over\":\"9223372036854775808\",\"half\":\"1x\"}"));
    struct str text = STR("untouched");
    int64_t number = 77;

    if (!check(j != NULL))
        return;
    check(json_get_str(j, "s", &text));
    check_str(text, STR("a\n\xc3\xa9"));
    check(json_get_str(j, "e", &text) && text.length == 0);
    text = STR("untouched");
    check(!json_get_str(j, "n", &text) && !json_get_str(j, "z", &text) && !json_get_str(j, "o", &text) && !json_get_str(j, "gone", &text));
    check_str(text, STR("untouched"));
    check(!json_get_number(j, "r", &number) && !json_get_number(j, "b", &number) && !json_get_number(j, "z", &number));
    check(!json_get_number(j, "e", &number) && !json_get_number(j, "bad", &number) && !json_get_number(j, "over", &number));
    check(!json_get_number(j, "half", &number) && !json_get_number(j, "gone", &number));
    check_number(number, 77);
    check(json_get_number(j, "n", &number) && number == -7);
    check(json_get_number(j, "t", &number) && number == 3600);
    check(json_get_number(j, "max", &number) && number == INT64_MAX);
    check(json_get_number(j, "tmax", &number) && number == INT64_MAX);
    json_free(&j);
}

static void what_is_written_is_ascii_in_its_order(void)
{
    struct json *j = json_new_object();
    struct buf text = {0};

    json_put_str(j, "z", STR("\x7f\"\\\x1b[31m\xc2\x9b\xff\xc3\xa9\0\x7f\x7f"));
    json_put_number(j, "a", INT64_MIN);
    json_put_bool(j, "yes", true);
    json_put_bool(j, "no", false);
    json_put_null(j, "none");
    json_put_str(j, "empty", STR(""));
    json_put_number(j, "a", 1); /* stays in its place */
    json_write(j, &text);
    check_text(buf_text(&text), "{\"z\": \"\\u007F\\\"\\\\\\u001B[31m\\u009B\\uFFFD\\u00E9\\u0000\\u007F\\u007F\", \"a\": 1,"
                                " \"yes\": true, \"no\": false, \"none\": null, \"empty\": \"\"}");
    buf_done(&text);
    json_free(&j);
}

static void what_is_written_can_be_read(void)
{
    struct json *j = json_new_object();
    struct buf text = {0};
    struct str value;
    int64_t number;

    json_put_str(j, "s", STR("\xf0\x9f\x98\x80 \x7f"));
    json_put_number(j, "n", INT64_MIN);
    json_write(j, &text);
    json_free(&j);
    j = json_parse_object(buf_str(&text));
    if (check(j != NULL)) {
        check(json_get_str(j, "s", &value));
        check_str(value, STR("\xf0\x9f\x98\x80 \x7f"));
        check(json_get_number(j, "n", &number) && number == INT64_MIN);
    }
    json_free(&j);
    buf_done(&text);
}

static void objects_and_lists_go_into_others(void)
{
    struct json *j = json_new_object(), *list = json_new_list(), *inner = json_new_object(), *empty = json_new_list();
    struct buf text = {0};

    json_put_number(inner, "n", 1);
    json_add_str(list, STR("a\xff"));
    json_add(list, &inner);
    check(inner == NULL);
    json_put(j, "list", &list);
    json_put(j, "empty", &empty);
    json_write(j, &text);
    check_text(buf_text(&text), "{\"list\": [\"a\\uFFFD\", {\"n\": 1}], \"empty\": []}");
    buf_done(&text);
    json_free(&j);
}

static const struct test_case cases[] = {
    TEST_CASE(objects_and_lists_go_into_others),
    TEST_CASE(objects_are_taken),
    TEST_CASE(all_else_is_refused),
    TEST_CASE(nesting_has_a_bound),
    TEST_CASE(nesting_is_not_what_strings_hold),
    TEST_CASE(members_have_their_kind),
    TEST_CASE(what_is_written_is_ascii_in_its_order),
    TEST_CASE(what_is_written_can_be_read),
};

int main(int argc, char **argv)
{
    return test_main(cases, TEST_COUNT(cases), argc, argv);
}

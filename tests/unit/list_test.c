#include "test.h"

#include "deliverd/list.h"

static void a_member_is_told_of_the_list(void)
{
    struct buf fields = {0};

    list_fields(STR(""), &fields);
    check_number((long long)fields.length, 0);
    list_fields(STR("team.x@a.example"), &fields);
    check_text(buf_text(&fields), "Delivered-To: team.x@a.example\r\nList-Id: <team.x.a.example>\r\n");
    buf_clear(&fields);
    list_fields(STR("\"a b\"@a.example"), &fields);
    check_has(buf_text(&fields), "List-Id: <-a-b-.a.example>\r\n");
    buf_done(&fields);
}

static void what_has_been_there_is_known(void)
{
    static const struct {
        const char *content;
        bool had;
    } table[] = {
        {"Subject: x\r\n\r\nDelivered-To: l@a.example\r\n", false},
        {"Delivered-To: l@a.example\r\n\r\n", true},
        {"X: y\r\ndelivered-TO:\r\n  L@A.example \r\n\r\n", true},
        {"Delivered-To: other@a.example\r\nDelivered-To: l@a.example\r\n\r\n", true},
        {"Delivered-To: xl@a.example\r\nX-Delivered-To: l@a.example\r\n\r\n", false},
    };

    for (size_t i = 0; i < TEST_COUNT(table); i++) {
        struct claimed claimed = {.has_content = true, .content = str_of(table[i].content)};
        struct claimed large = {0};
        struct body body;

        check(list_had_it(STR("l@a.example"), &claimed, NULL) == table[i].had);
        body_init(&body, "/tmp");
        body_append(&body, str_of(table[i].content));
        check(list_had_it(STR("l@a.example"), &large, &body) == table[i].had);
        body_done(&body);
    }
}

static const struct test_case cases[] = {
    TEST_CASE(a_member_is_told_of_the_list),
    TEST_CASE(what_has_been_there_is_known),
};

int main(int argc, char **argv)
{
    return test_main(cases, TEST_COUNT(cases), argc, argv);
}

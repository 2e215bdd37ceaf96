#include "test.h"

#include "message/completion.h"

static void take(void *context, struct str bytes)
{
    buf_add(context, bytes);
}

static const char date[] = "Date: Sat, 21 Nov 2026 12:00:00 +0000\r\n", id[] = "Message-ID: <0123456789abcdef.1a1fdfa4600@mx.example.org>\r\n";

/* D and I stand for the fields that are added. */
static const struct {
    const char *content, *expected;
} table[] = {
    {"Subject: x\r\n\r\nbody\r\n", "Subject: x\r\nDI\r\nbody\r\n"},
    {"Date: y\r\nSubject: x\r\n\r\nbody\r\n", "Date: y\r\nSubject: x\r\nI\r\nbody\r\n"},
    {"MESSAGE-id : <a@b>\r\n\r\nDate: in the body\r\n", "MESSAGE-id : <a@b>\r\nD\r\nDate: in the body\r\n"},
    {"Message-ID:\r\n\t<a@b>\r\ndate:\r\n\r\n", "Message-ID:\r\n\t<a@b>\r\ndate:\r\n\r\n"},
    {"Subject: x\r\n Date: folded\r\nX-Date: y\r\nDates: z\r\n\r\n", "Subject: x\r\n Date: folded\r\nX-Date: y\r\nDates: z\r\nDI\r\n"},
    {"\r\nbody\r\n", "DI\r\nbody\r\n"},
    {"no field\r\nDate: x\r\n", "DI\r\nno field\r\nDate: x\r\n"},
    {" starts with a space\r\n", "DI\r\n starts with a space\r\n"},
    {": x\r\n", "DI\r\n: x\r\n"},
    {"word\r\n", "DI\r\nword\r\n"},
    {"From me Sat Nov 21 12:00:00 2026\r\nSubject: x\r\n\r\n", "X-Mailbox-Line: From me Sat Nov 21 12:00:00 2026\r\nSubject: x\r\nDI\r\n"},
    {"Fro me\r\nSubject: x\r\n", "DI\r\nFro me\r\nSubject: x\r\n"},
    {"Subject: x\r\n", "Subject: x\r\nDI"},
    {"Subject: x", "Subject: x\r\nDI"},
    {"Subject: x\r\nnonsense\r\nDate: y\r\n\r\nbody", "Subject: x\r\nnonsense\r\nDate: y\r\nI\r\nbody"},
    {"", "DI"},
    {"\r\n", "DI\r\n"},
    {"Sub", "DI\r\nSub"},
};

static void expand(const char *text, struct buf *to)
{
    bool body = false;

    buf_clear(to);
    for (size_t i = 0; text[i] != '\0'; i++) {
        bool marks = !body && (i == 0 || text[i - 1] == '\n' || text[i - 1] == 'D') && (text[i] == 'D' || text[i] == 'I') &&
                     (text[i + 1] == 'I' || text[i + 1] == '\r' || text[i + 1] == '\0' || text[i + 1] == 'n' || text[i + 1] == '\n');

        if (marks)
            buf_add_text(to, text[i] == 'D' ? date : id);
        else
            buf_add_byte(to, text[i]);
    }
}

static void missing_fields_are_added_however_it_is_cut(void)
{
    struct buf expected = {0}, got = {0};

    for (size_t i = 0; i < TEST_COUNT(table); i++)
        for (size_t cut = 0; cut <= strlen(table[i].content) + 1; cut++) {
            struct str content = str_of(table[i].content);
            struct completion c;

            completion_init(&c, 0x0123456789abcdef, 1795262400000, "mx.example.org");
            buf_clear(&got);
            if (cut > content.length) {
                for (size_t k = 0; k < content.length; k++)
                    completion_take(&c, str_part(content, k, 1), take, &got);
            } else {
                completion_take(&c, str_part(content, 0, cut), take, &got);
                completion_take(&c, str_from(content, cut), take, &got);
            }
            completion_end(&c, take, &got);
            expand(table[i].expected, &expected);
            if (!check_text(buf_text(&got), buf_text(&expected)))
                printf("#   row %zu cut %zu\n", i, cut);
        }
    buf_done(&expected);
    buf_done(&got);
}

static void a_line_without_end_is_held_to_a_bound(void)
{
    struct completion c;
    struct buf got = {0};

    completion_init(&c, 1, 0, "mx.example.org");
    for (int i = 0; i < 100000; i++)
        completion_take(&c, STR("x"), take, &got);
    completion_end(&c, take, &got);
    check(got.length > 100000 && got.length < 100000 + 2 * COMPLETION_FIELD);
    check(str_starts(buf_str(&got), STR("xxxx")) && str_ends(buf_str(&got), STR(">\r\n")));
    buf_done(&got);
}

static const struct test_case cases[] = {
    TEST_CASE(missing_fields_are_added_however_it_is_cut),
    TEST_CASE(a_line_without_end_is_held_to_a_bound),
};

int main(int argc, char **argv)
{
    return test_main(cases, TEST_COUNT(cases), argc, argv);
}

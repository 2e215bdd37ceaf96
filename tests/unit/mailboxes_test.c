#include "test.h"

#include "base/buf.h"
#include "message/mailboxes.h"

/* The addresses with a space behind each; NULL: it cannot be read. */
static const struct {
    const char *text, *addresses;
} table[] = {
    {" a@b.example", "a@b.example "},
    {"a@b.example, c@d.example", "a@b.example c@d.example "},
    {"Joe Q. Public <john.q.public@example.com>", "john.q.public@example.com "},
    {"\"Joe, <x@y.example>\" <a@b.example>", "a@b.example "},
    {"A (com,ment (nested \\) <x@y.example>)) <a@b.example> (c)", "a@b.example "},
    {"Pete(A nice \\) chap) <pete(his account)@silly.test(his host)>", "pete@silly.test "},
    {"=?UTF-8?Q?J=C3=B6rg,_<x>?= <a@b.example>", NULL},
    {"A Group:Ed Jones <joe@a.test>,joe@where.test,John <jdoe@one.test>;", "joe@a.test joe@where.test jdoe@one.test "},
    {"a@b.example, group: c@d.example;, e@f.example", "a@b.example c@d.example e@f.example "}, {"empty:;, a@b.example", "a@b.example "},
    {"<a@b.example>, , <c@d.example>,", "a@b.example c@d.example "},
    {"\"quoted local\"@b.example", "\"quoted local\"@b.example "},
    {"A <\"a\\\"b\"@b.example>", "\"a\\\"b\"@b.example "},
    {"a@[192.0.2.1]", "a@[192.0.2.1] "},
    {"a @ b.example", "a@b.example "}, {"a . b (c) @ (d) b . example", "a.b@b.example "}, {"<a (c) @b.example (d)>", "a@b.example "},
    {"a@b.example <A@B.example>", "A@B.example "}, {"\"x@y.example\" <a@b.example>", "a@b.example "},
    /* Read as different addresses by different programs. */
    {"x@y.example: a@b.example", NULL}, {"x@y.example: a@b.example;", NULL}, {"a@b.example, x@y.example:;", NULL}, {"Group: a@b.example", NULL},
    {"Group: a@b.example, Other: c@d.example;;", NULL}, {"a@b.example;", NULL}, {": a@b.example;", NULL},
    {"<x@y.example b.example>", NULL}, {"<x@y.example(c)b.example>", NULL}, {"x@y.example a@b.example <a@b.example>", NULL}, {"x@y.example <a@b.example>", NULL},
    {"\"\" x@y.example <a@b.example>", NULL}, {"\"x\" x@y.example <a@b.example>", NULL}, {"x y@b.example", NULL}, {"x(c)y@b.example", NULL}, {"\"x\"y@b.example", NULL}, {"\"x\" y@b.example", NULL},
    {"J\xc3\xb6rg <j\xc3\xb6rg@b.example>", "j\xc3\xb6rg@b.example "},
    {"a@b.example\n c@d.example", "a@b.example c@d.example "},
    {"Long Long Name Long Long Name Long Long Name Long Long Name Long Long Name Long Long Name Long Long Name <a@b.example>", "a@b.example "},
    {"", NULL}, {" ", NULL}, {"a", NULL}, {"Undisclosed:;", NULL}, {"a b@c.example", NULL},
    {"<a@b.example", NULL}, {"a@b.example>", NULL}, {"\"a@b.example", NULL}, {"(a@b.example", NULL}, {"a@b.example)", NULL},
    {"<a@b.example> <c@d.example>", NULL}, {"<a@b.example> c@d.example", NULL}, {"<<a@b.example>>", NULL}, {"<>", NULL},
    {"a@b.example c@d.example", NULL}, {"a@[192.0.2.1", NULL}, {"A <@x.example:a@b.example>", NULL}, {"a@b.example,\\", NULL}, {"(\\", NULL}, {"\"\\", NULL},
};

static void addresses_are_found(void)
{
    for (size_t i = 0; i < TEST_COUNT(table); i++) {
        struct arena arena = {0};
        struct mailboxes m;
        struct buf found = {0};
        bool ok = mailboxes_read(&m, str_of(table[i].text), &arena);

        for (size_t k = 0; ok && k < m.count; k++) {
            buf_add(&found, m.items[k].address);
            buf_add_byte(&found, ' ');
        }
        if (!(table[i].addresses == NULL ? check(!ok) : check(ok) && check_text(buf_text(&found), table[i].addresses)))
            printf("#   row %zu: %s\n", i, table[i].text);
        buf_done(&found);
        arena_done(&arena);
    }
}

static void their_number_is_bounded(void)
{
    struct arena arena = {0};
    struct mailboxes m;
    struct buf text = {0};

    for (int i = 0; i < MAILBOXES_MAX; i++)
        buf_print(&text, "a%d@b.example,", i);
    check(mailboxes_read(&m, buf_str(&text), &arena));
    check_number(m.count, MAILBOXES_MAX);
    buf_add_text(&text, "one@more.example");
    check(!mailboxes_read(&m, buf_str(&text), &arena));
    buf_done(&text);
    arena_done(&arena);
}

static const struct test_case cases[] = {
    TEST_CASE(addresses_are_found),
    TEST_CASE(their_number_is_bounded),
};

int main(int argc, char **argv)
{
    return test_main(cases, TEST_COUNT(cases), argc, argv);
}

#include "test.h"

#include "message/field.h"

static const struct {
    const char *content, *text;
    int count;
} table[] = {
    {"From: a@b.example\r\nSubject: x\r\n\r\nFrom: body\r\n", " a@b.example", 1},
    {"Subject: x\r\nfrom:a@b.example\r\n\r\n", "a@b.example", 1},
    {"FROM: A\r\n <a@b.example>,\r\n\tb@c.example\r\nTo: x\r\n\r\n", " A <a@b.example>,\tb@c.example", 1},
    {"From: a\r\nTo: x\r\n y\r\nFrom: b\r\n\r\n", " a\n b", 2},
    {"From : a\r\n\r\n", " a", 1},
    {"From x: a\r\nFrome: b\r\nFro: c\r\nXFrom: d\r\nSubject: From: e\r\n From: f\r\n\r\n", "", 0},
    {"From:\r\n\r\n", "", 1},
    {"Subject: x\r\n\r\nFrom: a\r\n", "", 0},
    {"From: a", " a", 1},
};

static void a_field_is_kept_however_it_is_cut(void)
{
    for (size_t i = 0; i < TEST_COUNT(table); i++)
        for (size_t cut = 0; cut <= strlen(table[i].content); cut++) {
            struct str content = str_of(table[i].content);
            struct field_scan f;

            field_scan_init(&f, "from");
            field_scan(&f, str_part(content, 0, cut));
            field_scan(&f, str_from(content, cut));
            if (check_text(buf_text(&f.text), table[i].text) + check_number(f.count, table[i].count) < 2)
                printf("#   row %zu cut %zu\n", i, cut);
            field_scan_done(&f);
        }
}

static void what_is_kept_is_bounded(void)
{
    struct field_scan f;

    field_scan_init(&f, "from");
    field_scan(&f, STR("From: "));
    for (int i = 0; i < 100000; i++)
        field_scan(&f, STR("a@b.example,"));
    check(f.text.full && f.text.length <= FIELD_KEPT);
    field_scan_done(&f);
}

static const struct test_case cases[] = {
    TEST_CASE(a_field_is_kept_however_it_is_cut),
    TEST_CASE(what_is_kept_is_bounded),
};

int main(int argc, char **argv)
{
    return test_main(cases, TEST_COUNT(cases), argc, argv);
}

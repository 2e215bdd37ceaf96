#include "test.h"

#include "route/sts_policy.h"

#include "base/buf.h"

#include <stdlib.h>

/* A copy as long as it is, so that a sanitizer sees each byte read behind it. */
static struct str exact(struct str text)
{
    char *copy = malloc(text.length > 0 ? text.length : 1);

    if (copy == NULL)
        abort();
    memcpy(copy, text.data, text.length);
    return (struct str){copy, text.length};
}

static void check_record(struct str text, const char *expected)
{
    struct str record = exact(text);
    char id[STS_ID_SIZE];
    bool is_record = sts_read_record(record, id);

    if (!check(is_record == (expected[0] != '\0')) || !check_text(id, expected))
        printf("# of %.*s\n", STR_ARG(text));
    free((void *)(uintptr_t)record.data);
}

static void records_of_the_rfc_are_read(void)
{
    check_record(STR("v=STSv1; id=20160831085700Z;"), "20160831085700Z");
    check_record(STR("v=STSv1; id=20160831085700Z"), "20160831085700Z");
    check_record(STR("v=STSv1;id=1"), "1");
    check_record(STR("v=STSv1;\t id=a \t; \t"), "a");
    check_record(STR("v=STSv1; id=ABCDEFGHIJabcdefghij0123456789xy"), "ABCDEFGHIJabcdefghij0123456789xy");
}

static void other_fields_of_a_record_are_ignored(void)
{
    check_record(STR("v=STSv1; new=1; id=7; a.b-c_d=!\"#$%&'()*+,-./:<>?@[]^`{|}~;"), "7");
    check_record(STR("v=STSv1; id=7; id=8"), "7");
    check_record(STR("v=STSv1; Id=x; ID=y; id=7"), "7");
    check_record(STR("v=STSv1; id=7; id=no-id"), "7");
    check_record(STR("v=STSv1; id=7; v=STSv2"), "7");
}

static void records_that_are_none(void)
{
    static const struct str table[] = {
        {"", 0},
        {"v=STSv1", 7},
        {"v=STSv1;id=1\0", 13},
        {"v=STSv1;id=\0", 12},
    };
    static const char *const texts[] = {
        "v=STSv1;", "v=STSv1; ", "v=STSv1;;id=1", "v=STSv1;id=1;;", "v=STSv1; id", "v=STSv1; id=", "v=STSv1; =1; id=1", "v=STSv1 ;id=1",
        "V=STSv1;id=1", "v=stsv1;id=1", "v=STSv2;id=1", " v=STSv1;id=1", "id=1; v=STSv1;", "v=STSv1x;id=1", "v=STSv1;ID=1",
        "v=STSv1;id=1_2", "v=STSv1;id=1-2", "v=STSv1;id= 1", "v=STSv1;id =1", "v=STSv1;id=1 2", "v=STSv1;id=bad-id;id=1",
        "v=STSv1;id=\xc3\xa4",
        "v=STSv1;id=1;x", "v=STSv1;id=1;x=", "v=STSv1;id=1;x=a=b", "v=STSv1;id=1;x=a b", "v=STSv1;id=1;x=\xff", "v=STSv1;id=1;_x=1",
        "v=STSv1;id=1;x=a\tb", "v=STSv1;id=1;x=a\rb", "v=STSv1;id=1\n", "v=STSv1;id=ABCDEFGHIJabcdefghij0123456789xyz",
        "v=STSv1;id=1;ABCDEFGHIJabcdefghij0123456789xyz=1", "\"v=STSv1;id=1\"", "v=TLSRPTv1; rua=mailto:a@b.example",
    };

    for (size_t i = 0; i < TEST_COUNT(table); i++)
        check_record(table[i], "");
    for (size_t i = 0; i < TEST_COUNT(texts); i++)
        check_record(str_of(texts[i]), "");
}

static struct arena arena;
static struct sts_policy policy;

/* The problem; "": there is none. */
static const char *read(struct str text)
{
    struct str copy = exact(text);
    const char *problem = "never said";

    arena_init(&arena);
    if (sts_read_policy(&policy, copy, &arena, &problem))
        problem = "";
    free((void *)(uintptr_t)copy.data);
    return problem;
}

static void done(void)
{
    arena_done(&arena);
}

static void check_policy(const char *text, const char *expected)
{
    if (!check_text(read(str_of(text)), expected))
        printf("# of %s\n", text);
    done();
}

#define HEAD "version: STSv1\nmode: enforce\n"
#define FULL HEAD "max_age: 86400\n"

static void the_policy_of_the_rfc_is_read(void)
{
    struct str text = STR("version: STSv1\r\nmode: enforce\r\nmx: mail.example.com\r\nmx: *.example.net\r\nmx: backupmx.example.com\r\n"
                          "max_age: 604800\r\n");

    check_text(read(text), "");
    check_number(policy.mode, STS_ENFORCE);
    check_number(policy.max_age, 604800);
    check_number(policy.mx_count, 3);
    check_text(policy.mx[0], "mail.example.com");
    check_text(policy.mx[1], "*.example.net");
    check_text(policy.mx[2], "backupmx.example.com");
    check_str(policy.text, text);
    done();
}

static void lines_may_end_as_they_like(void)
{
    check_policy(FULL "mx: a.example", "");
    check_policy("version: STSv1\r\nmode: testing\nmax_age:1\r\nmx:a.example\r\n", "");
    check_policy("\n\r\n" FULL "\n \t\r\nmx: \t a.example \t\n\n\n", "");
    check_policy("version: STSv1\rmode: enforce\rmax_age: 1\rmx: a.example\r", "a line of it has no value that can be read");
}

static void modes_have_names(void)
{
    static const struct {
        const char *text;
        enum sts_mode mode;
    } table[] = {
        {"version: STSv1\nmode: none\nmax_age: 0\n", STS_NONE},
        {"version: STSv1\nmode: none\nmax_age: 0\nmx: a.example\n", STS_NONE},
        {"mx: a.example\nmax_age: 0\nmode: testing\nversion: STSv1", STS_TESTING},
        {FULL "mx: a.example", STS_ENFORCE},
    };

    for (size_t i = 0; i < TEST_COUNT(table); i++) {
        check_text(read(str_of(table[i].text)), "");
        check_number(policy.mode, table[i].mode);
        done();
    }
    check_text(sts_mode_name(STS_NONE), "none");
    check_text(sts_mode_name(STS_TESTING), "testing");
    check_text(sts_mode_name(STS_ENFORCE), "enforce");
}

static void unknown_keys_are_ignored(void)
{
    check_policy(FULL "mx: a.example\nnew: 1\nMode: none\na.b-c_d: x y\xc3\xa4 z: \n", "");
    check_number(policy.mode, STS_ENFORCE);
}

static void of_what_stands_twice_the_first_counts(void)
{
    check_text(read(STR("mode: testing\nmode: enforce\nmode: x\nversion: STSv1\nversion: STSv2\nmax_age: 5\nmax_age: x\nmx: b.example\n"
                        "mx: b.example\nmx: a.example")), "");
    check_number(policy.mode, STS_TESTING);
    check_number(policy.max_age, 5);
    check_number(policy.mx_count, 3);
    done();
}

static void ages_are_bounded(void)
{
    static const struct {
        const char *text;
        int64_t age; /* -1: none */
    } table[] = {
        {"0", 0}, {"1", 1}, {"0000000060", 60}, {"31557600", STS_AGE_MAX}, {"31557601", STS_AGE_MAX}, {"9999999999", STS_AGE_MAX},
        {"10000000000", -1}, {"00000000001", -1}, {"18446744073709551617", -1}, {"-1", -1}, {"+1", -1}, {"1.5", -1}, {"1d", -1},
        {"0x10", -1},
        {"1 2", -1}, {"\xd9\xa1", -1},
    };

    for (size_t i = 0; i < TEST_COUNT(table); i++) {
        struct buf text = {0};

        buf_print(&text, HEAD "mx: a.example\nmax_age: %s\n", table[i].text);
        if (!check_text(read(buf_str(&text)), table[i].age >= 0 ? "" : "its max_age is no number of seconds"))
            printf("# of %s\n", table[i].text);
        if (table[i].age >= 0)
            check_number(policy.max_age, table[i].age);
        done();
        buf_done(&text);
    }
}

static void policies_that_are_none(void)
{
    static const struct {
        const char *text, *problem;
    } table[] = {
        {"", "it has no version"},
        {"\n", "it has no version"},
        {"mode: enforce\nmax_age: 1\nmx: a.example", "it has no version"},
        {"version: STSv1\nmax_age: 1\nmx: a.example", "it has no mode"},
        {HEAD "mx: a.example", "it has no max_age"},
        {FULL, "it has no mx"},
        {"version: STSv1\nmode: testing\nmax_age: 1\n", "it has no mx"},
        {"version: STSv1\nmode: none\n", "it has no max_age"},
        {"version: STSv2\nmode: none\nmax_age: 1\n", "its version is not STSv1"},
        {"version: stsv1\nmode: none\nmax_age: 1\n", "its version is not STSv1"},
        {"version: STSv1\nmode: Enforce\n", "its mode is none of enforce, testing, none"},
        {"version: STSv1\nmode: report\n", "its mode is none of enforce, testing, none"},
        {"version: STSv1\nmode: enforce testing\n", "its mode is none of enforce, testing, none"},
        {"version STSv1\n", "a line of it has no key"},
        {"version : STSv1\n", "a line of it has no key"},
        {" version: STSv1\n", "a line of it has no key"},
        {": STSv1\n", "a line of it has no key"},
        {"\xef\xbb\xbfversion: STSv1\n", "a line of it has no key"},
        {"<html>\n", "a line of it has no key"},
        {FULL "mx: a.example\n_x: 1\n", "a line of it has no key"},
        {FULL "mx: a.example\nABCDEFGHIJabcdefghij0123456789xyz: 1\n", "a line of it has no key"},
        {FULL "mx: a.example\nx:\n", "a line of it has no value that can be read"},
        {"version:\n", "a line of it has no value that can be read"},
        {FULL "mx: a.example\nx: a\tb\n", "a line of it has no value that can be read"},
        {FULL "mx: a.example\nx: \xff\n", "a line of it has no value that can be read"},
        {FULL "mx: a.example\nx: \x7f\n", "a line of it has no value that can be read"},
        {FULL "mx: a.example\rx\n", "a line of it has no value that can be read"},
    };

    for (size_t i = 0; i < TEST_COUNT(table); i++)
        check_policy(table[i].text, table[i].problem);
    check_text(read((struct str){FULL "mx: a.example\nx: \0\n", sizeof FULL "mx: a.example\nx: \0\n" - 1}),
               "a line of it has no value that can be read");
    done();
}

static void patterns_become_normal(void)
{
    static const struct {
        const char *text, *pattern; /* NULL: it is none */
    } table[] = {
        {"mail.example.com", "mail.example.com"},
        {"MAIL.Example.COM", "mail.example.com"},
        {"mail.example.com.", "mail.example.com"},
        {"*.Example.com.", "*.example.com"},
        {"*.com", "*.com"},
        {"localhost", "localhost"},
        {"xn--bcher-kva.example", "xn--bcher-kva.example"},
        {"a_b.example", "a_b.example"},
        {"*", NULL}, {"*.", NULL}, {"**.example.com", NULL}, {"*.*.example.com", NULL}, {"*example.com", NULL}, {"mail*.example.com", NULL},
        {"mail.*.com", NULL}, {".example.com", NULL}, {"*..example.com", NULL}, {"a..example.com", NULL}, {"example.com..", NULL},
        {".", NULL},
        {"b\xc3\xbc" "cher.example", NULL}, {"[192.0.2.1]", NULL}, {"*.[192.0.2.1]", NULL}, {"a.example, b.example", NULL},
        {"a.example b.example", NULL}, {"a.example:25", NULL}, {"<a.example>", NULL}, {"-a.example", NULL}, {"user@example.com", NULL},
        {"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.example", NULL},
    };

    for (size_t i = 0; i < TEST_COUNT(table); i++) {
        struct buf text = {0};

        buf_print(&text, FULL "mx: %s\n", table[i].text);
        if (!check_text(read(buf_str(&text)), table[i].pattern != NULL ? "" : "an mx of it is no name of a host"))
            printf("# of %s\n", table[i].text);
        else if (table[i].pattern != NULL)
            check_text(policy.mx[0], table[i].pattern);
        done();
        buf_done(&text);
    }
}

static void the_longest_name_is_a_pattern(void)
{
    struct buf text = {0};

    buf_add_text(&text, FULL "mx: *.");
    for (int i = 0; i < 127; i++)
        buf_add_text(&text, "a.");
    buf_add_text(&text, "a\n");
    check_text(read(buf_str(&text)), "");
    check_number(strlen(policy.mx[0]), 257);
    done();
    buf_print(&text, "mx: %0300d\n", 0);
    check_text(read(buf_str(&text)), "an mx of it is no name of a host");
    done();
    buf_done(&text);
}

static void patterns_are_bounded(void)
{
    struct buf text = {0};

    buf_add_text(&text, FULL);
    for (int i = 0; i < STS_MX_MOST; i++)
        buf_print(&text, "mx: mx%d.example\n", i);
    check_text(read(buf_str(&text)), "");
    check_number(policy.mx_count, STS_MX_MOST);
    done();
    buf_add_text(&text, "mx: one-more.example\n");
    check_text(read(buf_str(&text)), "it has too many mx");
    done();
    buf_done(&text);
}

static void a_star_stands_for_one_label(void)
{
    static const struct {
        const char *host;
        bool named;
    } table[] = {
        {"mail.example.com", true},      {"a.example.net", true},       {"a-b_1.example.net", true}, {"example.net", false},
        {"a.b.example.net", false},      {".example.net", false},       {"*.example.net", true},     {"aexample.net", false},
        {"mail.example.com.org", false}, {"x.mail.example.com", false}, {"", false},                 {"net", false},
        {"com", false},                  {"a.example.netx", false},     {".", false},                {"x.org", false},
    };

    check_text(read(STR(FULL "mx: mail.example.com\nmx: *.example.net\n")), "");
    for (size_t i = 0; i < TEST_COUNT(table); i++)
        if (!check(sts_names(&policy, table[i].host) == table[i].named))
            printf("# of %s\n", table[i].host);
    done();
    check_text(read(STR("version: STSv1\nmode: none\nmax_age: 0\n")), "");
    check(!sts_names(&policy, "mail.example.com"));
    done();
}

static const struct test_case cases[] = {
    TEST_CASE(records_of_the_rfc_are_read),
    TEST_CASE(other_fields_of_a_record_are_ignored),
    TEST_CASE(records_that_are_none),
    TEST_CASE(the_policy_of_the_rfc_is_read),
    TEST_CASE(lines_may_end_as_they_like),
    TEST_CASE(modes_have_names),
    TEST_CASE(unknown_keys_are_ignored),
    TEST_CASE(of_what_stands_twice_the_first_counts),
    TEST_CASE(ages_are_bounded),
    TEST_CASE(policies_that_are_none),
    TEST_CASE(patterns_become_normal),
    TEST_CASE(the_longest_name_is_a_pattern),
    TEST_CASE(patterns_are_bounded),
    TEST_CASE(a_star_stands_for_one_label),
};

int main(int argc, char **argv)
{
    return test_main(cases, TEST_COUNT(cases), argc, argv);
}

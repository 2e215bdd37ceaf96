#include "test.h"

#include "route/mx.h"

enum { RECORDS = 8 };

static struct arena arena;

static struct dns_answer answer_of(const struct str *records, size_t count)
{
    struct dns_answer a = {.outcome = DNS_FOUND, .secure = true, .canonical = "example.org", .count = count};

    a.records = arena_new(&arena, (count + 1) * sizeof *a.records);
    for (size_t i = 0; i < count; i++)
        a.records[i] = records[i];
    return a;
}

#define RECORD(bytes) {bytes, sizeof bytes}

static const struct str a10 = RECORD("\0\12\1a\7example\3org"), b10 = RECORD("\0\12\1b\7example\3org"), c20 = RECORD("\0\24\1C\7example\3ORG"),
                        d30 = RECORD("\0\36\1d\7example\3org"), null0 = {"\0\0\0", 3}, root10 = {"\0\12\0", 3}, cut = {"\0\12\5abc", 6};

static struct mx read_mx(const char *me, const struct str *records, size_t count)
{
    struct dns_answer answer = answer_of(records, count);
    struct mx mx;

    mx_read(&mx, "example.org", me, &answer, &arena);
    return mx;
}

static void check_hosts(const struct mx *mx, const char *names)
{
    struct buf text = {0};

    for (size_t i = 0; i < mx->count; i++)
        buf_print(&text, "%s%s %u", i > 0 ? ", " : "", mx->hosts[i].name, mx->hosts[i].preference);
    check_text(buf_text(&text), names);
    buf_done(&text);
}

static void the_preferred_come_first(void)
{
    struct mx mx = read_mx("mx.tmail.test", (struct str[]){d30, a10, c20}, 3);

    check(status_is_ok(&mx.status) && mx.secure && !mx.implicit && !mx.null);
    check_hosts(&mx, "a.example.org 10, c.example.org 20, d.example.org 30");
}

/* Each order comes up: the chance that one does not, in 200 rounds, is one in 2 to the 199th. */
static void equal_ones_take_turns_at_random(void)
{
    int first = 0;

    for (int i = 0; i < 200; i++) {
        struct mx mx = read_mx("mx.tmail.test", (struct str[]){a10, b10, c20}, 3);

        check_number(mx.hosts[2].preference, 20);
        first += strcmp(mx.hosts[0].name, "a.example.org") == 0;
    }
    check(first > 0 && first < 200);
}

static void we_are_no_way_for_our_own_mail(void)
{
    const struct str all[] = {a10, c20, d30}, equals[] = {a10, b10, c20};
    struct mx mx = read_mx("c.example.org", all, 3);

    check_hosts(&mx, "a.example.org 10");
    check(status_is_ok(&mx.status) && mx.was_cut);
    mx = read_mx("a.example.org", all, 3);
    check(mx.status.code == 554 && mx.status.subject == 4 && mx.status.detail == 6);
    mx = read_mx("b.example.org", equals, 3);
    check_number(mx.count, 0);
    check(mx.status.code == 554 && mx.status.detail == 6);
}

/* RFC 7505: one record, the root, whatever its preference; beside others it is nothing. */
static void null_mx(void)
{
    struct mx mx = read_mx("mx.tmail.test", &null0, 1);

    check(mx.null && mx.status.code == 556 && mx.status.class == 5 && mx.status.subject == 1 && mx.status.detail == 10);
    mx = read_mx("mx.tmail.test", &root10, 1);
    check(mx.null);
    mx = read_mx("mx.tmail.test", (struct str[]){null0, a10}, 2);
    check(!mx.null && status_is_ok(&mx.status));
    check_hosts(&mx, "a.example.org 10");
}

static void a_record_that_cannot_be_read_is_left_out(void)
{
    struct mx mx = read_mx("mx.tmail.test", (struct str[]){cut, c20}, 2);

    check_hosts(&mx, "c.example.org 20");
    mx = read_mx("mx.tmail.test", &cut, 1);
    check(mx.status.code == 451 && mx.status.subject == 4 && mx.status.detail == 4);
}

static void what_is_not_there(void)
{
    struct dns_answer answer = {.outcome = DNS_NO_DATA, .secure = true};
    struct mx mx;

    mx_read(&mx, "example.org", "mx.tmail.test", &answer, &arena);
    check(status_is_ok(&mx.status) && mx.implicit && mx.secure);
    check_hosts(&mx, "example.org 0");
    mx_read(&mx, "example.org", "example.org", &answer, &arena);
    check_number(mx.status.code, 554);
    answer.outcome = DNS_NO_NAME;
    mx_read(&mx, "example.org", "mx.tmail.test", &answer, &arena);
    check(mx.status.code == 550 && mx.status.subject == 1 && mx.status.detail == 2);
    answer = (struct dns_answer){.outcome = DNS_FAILED, .bogus = true, .reason = "signature expired"};
    mx_read(&mx, "example.org", "mx.tmail.test", &answer, &arena);
    check(mx.status.code == 451 && mx.status.subject == 4 && mx.status.detail == 3 && !mx.secure && mx.count == 0);
    check_has(mx.status.text, "signature expired");
}

static void more_records_than_anybody_tries(void)
{
    enum { MANY = 200 };
    struct str records[MANY];
    char bytes[MANY][8];
    struct mx mx;

    for (int i = 0; i < MANY; i++) {
        memcpy(bytes[i], "\0\0\2x0\0", 7);
        bytes[i][1] = (char)(MANY - i);
        bytes[i][3] = (char)('a' + i % 26);
        bytes[i][4] = (char)('a' + i / 26);
        records[i] = (struct str){bytes[i], 6};
    }
    mx = read_mx("mx.tmail.test", records, MANY);
    check_number(mx.count, MX_MOST);
    for (size_t i = 0; i < mx.count; i++)
        check_number(mx.hosts[i].preference, (int64_t)i + 1);
}

static const struct test_case cases[] = {
    TEST_CASE(the_preferred_come_first),
    TEST_CASE(equal_ones_take_turns_at_random),
    TEST_CASE(we_are_no_way_for_our_own_mail),
    TEST_CASE(null_mx),
    TEST_CASE(a_record_that_cannot_be_read_is_left_out),
    TEST_CASE(what_is_not_there),
    TEST_CASE(more_records_than_anybody_tries),
};

int main(int argc, char **argv)
{
    int status = test_main(cases, TEST_COUNT(cases), argc, argv);

    arena_done(&arena);
    return status;
}

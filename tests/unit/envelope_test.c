#include "test.h"

#include "message/envelope.h"

static struct arena arena;

static bool add(struct envelope *e, const char *text, unsigned notify, const char *orcpt)
{
    struct str rest = str_of(text);
    struct path path;
    struct rcpt_params params = {.notify = notify, .orcpt = str_of(orcpt)};

    return check_number(path_parse(&path, &rest, 0, &arena), PATH_OK) && envelope_add(e, &path, &params);
}

static void recipients_keep_their_order_and_facts(void)
{
    struct envelope e;
    char orcpt[] = "rfc822;x@y";
    const struct recipient *r;

    envelope_init(&e, &arena);
    check(add(&e, "<a@B.Example>", NOTIFY_DELAY, orcpt));
    check(add(&e, "<\"c d\"@b\xc3\xbc" "cher.example>", 0, ""));
    memset(orcpt, '-', sizeof orcpt); /* the line it came from is gone */
    check_number(e.recipient_count, 2);
    r = e.recipients;
    check_number(r->number, 1);
    check_str(r->address, STR("a@B.Example"));
    check_str(r->domain, STR("b.example"));
    check_number(r->notify, NOTIFY_DELAY);
    check_str(r->orcpt, STR("rfc822;x@y"));
    r = r->next;
    check_number(r->number, 2);
    check_str(r->address, STR("\"c d\"@b\xc3\xbc" "cher.example"));
    check_str(r->domain, STR("xn--bcher-kva.example"));
    check(r->next == NULL && e.last == r);
    arena_done(&arena);
}

/* What was parsed may be gone: an envelope owns what it keeps. */
static void recipients_outlive_their_command(void)
{
    struct envelope e;

    envelope_init(&e, &arena);
    for (int i = 0; i < 50; i++) {
        struct arena scratch = {0};
        const struct rcpt_params params = {.orcpt = STR("rfc822;x@y")};
        char text[40];
        struct path path;

        snprintf(text, sizeof text, "user%d@b.example", i);
        check_number(path_parse_address(&path, str_of(text), &scratch), PATH_OK);
        check(envelope_add(&e, &path, &params));
        memset(text, '-', sizeof text);
        arena_done(&scratch);
    }
    check_str(e.recipients->address, STR("user0@b.example"));
    check_str(e.recipients->domain, STR("b.example"));
    check_str(e.last->address, STR("user49@b.example"));
    check_number(e.last->number, 50);
    arena_done(&arena);
}

/* Who is named twice, by an alias perhaps, is told of what either asked for; the weakest is NEVER (RFC 3461 section 4.1). */
static void wishes_for_reports_are_joined(void)
{
    static const struct {
        unsigned first, second, both;
    } table[] = {
        {0, 0, 0}, {0, NOTIFY_NEVER, 0}, {NOTIFY_NEVER, 0, 0}, {NOTIFY_NEVER, NOTIFY_NEVER, NOTIFY_NEVER}, {NOTIFY_NEVER, NOTIFY_FAILURE, NOTIFY_FAILURE},
        {NOTIFY_SUCCESS, 0, NOTIFY_SUCCESS | NOTIFY_FAILURE}, {0, NOTIFY_DELAY, NOTIFY_DELAY | NOTIFY_FAILURE},
        {NOTIFY_SUCCESS, NOTIFY_DELAY, NOTIFY_SUCCESS | NOTIFY_DELAY},
    };

    for (size_t i = 0; i < TEST_COUNT(table); i++) {
        struct envelope e;

        envelope_init(&e, &arena);
        check(add(&e, "<a@b.example>", table[i].first, ""));
        check(!add(&e, "<a@b.example>", table[i].second, ""));
        if (!check_number(e.recipients->notify, table[i].both))
            printf("#   row %zu\n", i);
        arena_done(&arena);
    }
}

/* RFC 5321 section 2.4: local parts are case-sensitive to all but their own host, domains to nobody. */
static void the_same_mailbox_is_there_once(void)
{
    static const struct {
        const char *first, *second;
        bool same;
    } table[] = {
        {"<a@b.example>", "<a@b.example>", true},
        {"<a@b.example>", "<a@B.EXAMPLE>", true},
        {"<a@b.example>", "<a@b.example.>", true},
        {"<\"a\"@b.example>", "<a@b.example>", true},
        {"<a@b\xc3\xbc" "cher.example>", "<a@xn--bcher-kva.example>", true},
        {"<@x.example:a@b.example>", "<a@b.example>", true},
        {"<a@[IPv6:2001:db8::1]>", "<a@[IPv6:2001:db8:0:0:0:0:0:1]>", true},
        {"<A@b.example>", "<a@b.example>", false},
        {"<a@b.example>", "<a@c.example>", false},
        {"<ab@b.example>", "<a@b.example>", false},
        {"<\"a@c\"@b.example>", "<\"a@d\"@b.example>", false},
        {"<\"a@b.example\"@c>", "<a@c>", false},
    };

    for (size_t i = 0; i < TEST_COUNT(table); i++) {
        struct envelope e;

        envelope_init(&e, &arena);
        check(add(&e, table[i].first, 0, ""));
        if (!check(add(&e, table[i].second, 0, "") == !table[i].same) || !check_number(e.recipient_count, table[i].same ? 1 : 2))
            printf("#   %s %s\n", table[i].first, table[i].second);
        arena_done(&arena);
    }
}

static const struct test_case cases[] = {
    TEST_CASE(recipients_keep_their_order_and_facts),
    TEST_CASE(recipients_outlive_their_command),
    TEST_CASE(wishes_for_reports_are_joined),
    TEST_CASE(the_same_mailbox_is_there_once),
};

int main(int argc, char **argv)
{
    return test_main(cases, TEST_COUNT(cases), argc, argv);
}

#include "test.h"

#include "smtp/path.h"
#include "smtp/verp.h"

static void rewrites(void)
{
    static const struct {
        const char *sender, *recipient, *delimiters, *rewritten;
    } table[] = {
        {"list@example.org", "joe@example.com", "+=", "list+joe=example.com@example.org"},
        {"list@example.org", "joe@example.com", "-#", "list-joe#example.com@example.org"},
        {"L.ist@Example.ORG", "Joe+x=y@Example.COM", "+=", "L.ist+Joe+x=y=Example.COM@Example.ORG"},
        /* What needs quotes needs them afterwards, and what had some without need has none. */
        {"\"a list\"@example.org", "\"joe\"@example.com", "+=", "\"a list+joe=example.com\"@example.org"},
        {"list@example.org", "\"j@e\"@example.com", "+=", "\"list+j@e=example.com\"@example.org"},
        {"list@example.org", "joe@[192.0.2.1]", "+=", "\"list+joe=[192.0.2.1]\"@example.org"},
        /* RFC 6531: a domain has an ASCII form, a local part has none. */
        {"list@example.org", "joe@b\xc3\xbc"
                             "cher.example", "+=", "list+joe=xn--bcher-kva.example@example.org"},
        {"list@example.org", "j\xc3\xb6@b\xc3\xbc"
                             "cher.example", "+=", "list+j\xc3\xb6=xn--bcher-kva.example@example.org"},
        {"list@b\xc3\xbc"
         "cher.example", "joe@example.com", "+=", "list+joe=example.com@b\xc3\xbc"
                                                  "cher.example"},
    };

    for (size_t i = 0; i < TEST_COUNT(table); i++) {
        struct arena arena = {0};
        struct str rewritten;

        if (check(verp_rewrite(str_of(table[i].sender), str_of(table[i].recipient), str_of(table[i].delimiters), &arena, &rewritten)))
            check_str(rewritten, str_of(table[i].rewritten));
        arena_done(&arena);
    }
}

/* SENDER_LOCAL and RECIPIENT_LOCAL letters, before the @ of domains of DOMAIN and of 11 letters. */
static bool fits(int sender_local, int domain, int recipient_local)
{
    struct arena arena = {0};
    char sender[400], recipient[400], label[400];
    struct str rewritten;
    bool ok;

    for (int i = 0; i < domain; i++)
        label[i] = i % 64 == 63 ? '.' : 'd';
    snprintf(sender, sizeof sender, "%.*s@%.*s", sender_local,
             "ssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssss", domain, label);
    snprintf(recipient, sizeof recipient, "%.*s@example.com", recipient_local, "rrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrr");
    ok = verp_rewrite(str_of(sender), str_of(recipient), STR("+="), &arena, &rewritten);
    arena_done(&arena);
    return ok;
}

/* 64 octets before the @, 254 in all: 20 + 1 + 31 + 1 + 11 are 64. */
static void bounds(void)
{
    check(fits(20, 10, 31));
    check(!fits(20, 10, 32));
    check(!fits(21, 10, 31));
    check(fits(20, 189, 31));
    check(!fits(20, 190, 31));
}

/* Quotes and backslashes count: this is 64 octets with them, then 65. */
static void bounds_of_quoted_locals(void)
{
    struct arena arena = {0};
    struct str rewritten;

    check(verp_rewrite(STR("list@example.org"), STR("\"a rrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrr\"@example.com"), STR("+="), &arena,
                       &rewritten));
    check_number(rewritten.length, 64 + 12);
    check(!verp_rewrite(STR("list@example.org"), STR("\"a rrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrr\"@example.com"), STR("+="), &arena,
                        &rewritten));
    arena_done(&arena);
}

static void what_is_no_address(void)
{
    struct arena arena = {0};
    struct str rewritten;

    check(!verp_rewrite(STR(""), STR("joe@example.com"), STR("+="), &arena, &rewritten));
    check(!verp_rewrite(STR("list"), STR("joe@example.com"), STR("+="), &arena, &rewritten));
    check(!verp_rewrite(STR("list@example.org"), STR(""), STR("+="), &arena, &rewritten));
    check(!verp_rewrite(STR("list@example.org"), STR("joe"), STR("+="), &arena, &rewritten));
    arena_done(&arena);
}

static void delimiters(void)
{
    static const char *const good[] = {"+=", "-=", "=-", "_#", "~+"}, *const bad[] = {"", "+", "++", "+=-", "+@", ".=", "a=", "+ ", "%!"};

    for (size_t i = 0; i < TEST_COUNT(good); i++)
        check(verp_delimiters_are_valid(str_of(good[i])));
    for (size_t i = 0; i < TEST_COUNT(bad); i++)
        check(!verp_delimiters_are_valid(str_of(bad[i])));
    check(!verp_delimiters_are_valid((struct str){"+\0", 2}));
}

static const struct test_case cases[] = {
    TEST_CASE(rewrites),
    TEST_CASE(bounds),
    TEST_CASE(bounds_of_quoted_locals),
    TEST_CASE(what_is_no_address),
    TEST_CASE(delimiters),
};

int main(int argc, char **argv)
{
    return test_main(cases, TEST_COUNT(cases), argc, argv);
}

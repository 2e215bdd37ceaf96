#include "test.h"

#include "smtp/path.h"

static struct arena arena;

static enum path_result parse(struct path *p, struct str text, struct str *rest)
{
    *rest = text;
    return path_parse(p, rest, PATH_LOCAL_MAX, &arena);
}

static void good_paths(void)
{
    static const struct {
        const char *text, *address, *local, *domain, *host, *rest;
    } table[] = {
        {"<a@b.example>", "a@b.example", "a", "b.example", "b.example", ""},
        {"<A.b@B.Example> SIZE=1", "A.b@B.Example", "A.b", "B.Example", "b.example", " SIZE=1"},
        {"<>", "", "", "", "", ""},
        {"<> SIZE=1", "", "", "", "", " SIZE=1"},
        {"a@b.example", "a@b.example", "a", "b.example", "b.example", ""},
        {"a@b.example SIZE=1", "a@b.example", "a", "b.example", "b.example", " SIZE=1"},
        {"<PostMaster>", "PostMaster", "PostMaster", "", "", ""},
        {"<!#$%&'*+-/=?^_`{|}~@b>", "!#$%&'*+-/=?^_`{|}~@b", "!#$%&'*+-/=?^_`{|}~", "b", "b", ""},
        /* quoted strings: what they mean, quoted again only where it must be */
        {"<\"a\"@b>", "a@b", "a", "b", "b", ""},
        {"<\"a.b\"@b>", "a.b@b", "a.b", "b", "b", ""},
        {"<\"\\a\"@b>", "a@b", "a", "b", "b", ""},
        {"<\"a b\"@b>", "\"a b\"@b", "a b", "b", "b", ""},
        {"<\"a\\\"b\\\\c\"@b>", "\"a\\\"b\\\\c\"@b", "a\"b\\c", "b", "b", ""},
        {"<\"a@x\"@b>", "\"a@x\"@b", "a@x", "b", "b", ""},
        {"<\"a>b\"@b>", "\"a>b\"@b", "a>b", "b", "b", ""},
        {"<\".a\"@b>", "\".a\"@b", ".a", "b", "b", ""},
        {"<\"a..b\"@b>", "\"a..b\"@b", "a..b", "b", "b", ""},
        {"<\"\"@b>", "\"\"@b", "", "b", "b", ""},
        {"<\"> SIZE=1\"@b> X", "\"> SIZE=1\"@b", "> SIZE=1", "b", "b", " X"},
        /* source routes: appendix C */
        {"<@one.example:a@b>", "a@b", "a", "b", "b", ""},
        {"<@one.example,@two.example:a@b> SIZE=1", "a@b", "a", "b", "b", " SIZE=1"},
        /* literals */
        {"<a@[192.0.2.1]>", "a@[192.0.2.1]", "a", "[192.0.2.1]", "[192.0.2.1]", ""},
        {"<a@[IPv6:2001:DB8::1]>", "a@[IPv6:2001:DB8::1]", "a", "[IPv6:2001:DB8::1]", "[IPv6:2001:db8::1]", ""},
        /* RFC 6531 */
        {"<j\xc3\xb6rg@b\xc3\xbc" "cher.example>", "j\xc3\xb6rg@b\xc3\xbc" "cher.example", "j\xc3\xb6rg", "b\xc3\xbc" "cher.example", "xn--bcher-kva.example", ""},
        {"<a%b@c>", "a%b@c", "a%b", "c", "c", ""},
        {"<a!b@c>", "a!b@c", "a!b", "c", "c", ""},
    };

    for (size_t i = 0; i < TEST_COUNT(table); i++) {
        struct path p;
        struct str rest;

        if (!check_number(parse(&p, str_of(table[i].text), &rest), PATH_OK)) {
            printf("#   %s\n", table[i].text);
            continue;
        }
        check_str(p.address, str_of(table[i].address));
        check_str(p.local, str_of(table[i].local));
        check_str(p.domain, str_of(table[i].domain));
        check_str(p.host, str_of(table[i].host));
        check_str(rest, str_of(table[i].rest));
        check(p.utf8 == !str_is_ascii(str_of(table[i].address)));
        check(path_is_null(&p) == (table[i].address[0] == '\0'));
    }
    arena_done(&arena);
}

static void bad_paths(void)
{
    static const struct {
        struct str text;
        enum path_result result;
    } table[] = {
        {{"", 0}, PATH_SYNTAX}, {{"<", 1}, PATH_SYNTAX}, {{"<a", 2}, PATH_SYNTAX}, {{"<a@", 3}, PATH_BAD_DOMAIN}, {{"<a@b", 4}, PATH_SYNTAX}, {{"< >", 3}, PATH_SYNTAX},
        {{"<a@b> ", 5}, PATH_OK}, {{" <a@b>", 6}, PATH_SYNTAX}, {{"<<a@b>>", 7}, PATH_SYNTAX}, {{"<@b>", 4}, PATH_SYNTAX}, {{"<a b@c>", 7}, PATH_SYNTAX},
        {{"<.a@b>", 6}, PATH_SYNTAX}, {{"<a.@b>", 6}, PATH_SYNTAX}, {{"<a..b@c>", 8}, PATH_SYNTAX}, {{"<a@b@c>", 7}, PATH_BAD_DOMAIN}, {{"<a@.b>", 6}, PATH_BAD_DOMAIN},
        {{"<a@b c>", 7}, PATH_SYNTAX}, {{"<a@-b>", 6}, PATH_BAD_DOMAIN}, {{"<a@b..c>", 8}, PATH_BAD_DOMAIN}, {{"<\"a@b>", 6}, PATH_SYNTAX},
        {{"<\"a\"b@c>", 8}, PATH_SYNTAX}, {{"<a\"b\"@c>", 8}, PATH_SYNTAX}, {{"<\"a\\", 4}, PATH_SYNTAX}, {{"<\"a\\\"@b>", 8}, PATH_SYNTAX}, {{"<\"", 2}, PATH_SYNTAX},
        {{"<@a a@b>", 8}, PATH_SYNTAX}, {{"<@a>", 4}, PATH_SYNTAX}, {{"<@a:>", 5}, PATH_SYNTAX}, {{"<@a,@b>", 7}, PATH_SYNTAX},
        {{"<a@[192.0.2.1>", 14}, PATH_BAD_DOMAIN}, {{"<a@[2001:db8::1]>", 17}, PATH_BAD_DOMAIN}, {{"<a@[1.2.3.4]x>", 14}, PATH_BAD_DOMAIN},
        {{"<a\0b@c>", 7}, PATH_SYNTAX}, {{"<a@b\0c>", 7}, PATH_BAD_DOMAIN}, {{"<\"a\0b\"@c>", 9}, PATH_SYNTAX}, {{"<a\rb@c>", 7}, PATH_SYNTAX},
        {{"<\"a\rb\"@c>", 9}, PATH_SYNTAX}, {{"<\"a\\\rb\"@c>", 10}, PATH_SYNTAX}, {{"<\"a\nb\"@c>", 9}, PATH_SYNTAX}, {{"<\"a\x1b\"@c>", 8}, PATH_SYNTAX},
        {{"<\"a\x7f\"@c>", 8}, PATH_SYNTAX}, {{"<\"a\tb\"@c>", 9}, PATH_SYNTAX}, {{"<a\xff@b>", 6}, PATH_SYNTAX}, {{"<a\xc3@b>", 6}, PATH_SYNTAX},
        {{"<\"\xff\"@b>", 7}, PATH_SYNTAX}, {{"<a@\xff>", 5}, PATH_BAD_DOMAIN}, {{"<(a)@b>", 7}, PATH_SYNTAX}, {{"<a@b>>", 6}, PATH_OK}, {{"a@b>", 4}, PATH_SYNTAX},
        {{"<a,b@c>", 7}, PATH_SYNTAX}, {{"<a;b@c>", 7}, PATH_SYNTAX}, {{"<a:b@c>", 7}, PATH_SYNTAX}, {{"<a\\b@c>", 7}, PATH_SYNTAX}, {{"<a@b\r>", 6}, PATH_BAD_DOMAIN},
    };

    for (size_t i = 0; i < TEST_COUNT(table); i++) {
        struct path p;
        struct str rest;

        if (!check_number(parse(&p, table[i].text, &rest), table[i].result))
            printf("#   row %zu: %s\n", i, table[i].text.data);
    }
    arena_done(&arena);
}

/* RFC 5321 section 4.5.3.1.1 to .3 */
static void lengths(void)
{
    static const struct {
        size_t local, domain, limit;
        enum path_result result;
    } table[] = {
        {64, 10, 64, PATH_OK}, {65, 10, 64, PATH_LOCAL_TOO_LONG}, {65, 10, 0, PATH_OK}, {63, 190, 64, PATH_OK}, {64, 190, 64, PATH_TOO_LONG},
        {243, 10, 0, PATH_OK}, {244, 10, 0, PATH_TOO_LONG}, {10, 243, 64, PATH_OK}, {10, 244, 64, PATH_TOO_LONG}, {10, 300, 64, PATH_TOO_LONG},
        {300, 10, 64, PATH_TOO_LONG}, {5000, 10, 0, PATH_TOO_LONG},
    };

    for (size_t i = 0; i < TEST_COUNT(table); i++) {
        static char text[8000];
        size_t at = 0;
        struct path p;
        struct str rest;
        enum path_result result;

        text[at++] = '<';
        memset(text + at, 'l', table[i].local);
        at += table[i].local;
        text[at++] = '@';
        for (size_t k = 0; k < table[i].domain; k++)
            text[at++] = k % 50 == 49 && k + 1 < table[i].domain ? '.' : 'd';
        text[at++] = '>';
        rest = (struct str){text, at};
        result = path_parse(&p, &rest, table[i].limit, &arena);
        /* Which of two limits is named is a matter of taste. */
        if (table[i].result == PATH_TOO_LONG ? !check(result != PATH_OK) : !check_number(result, table[i].result))
            printf("#   row %zu: %d\n", i, (int)result);
    }
    arena_done(&arena);
}

static void postmaster_is_any_case(void)
{
    static const struct {
        const char *text;
        bool is;
    } table[] = {{"<postmaster>", true}, {"<POSTMASTER>", true}, {"<\"Postmaster\">", true}, {"<postmaster@b>", false}, {"<postmaste>", false}, {"<>", false}};

    for (size_t i = 0; i < TEST_COUNT(table); i++) {
        struct path p;
        struct str rest;

        check_number(parse(&p, str_of(table[i].text), &rest), PATH_OK);
        check(path_is_postmaster(&p) == table[i].is);
    }
    arena_done(&arena);
}

static void addresses_stand_alone(void)
{
    static const struct {
        const char *text;
        bool good;
    } table[] = {{"a@b", true}, {"\"a b\"@c", true}, {"a@[192.0.2.1]", true}, {"<a@b>", false}, {"a", false}, {"", false}, {"a@b c", false}, {"a@b>", false}, {"@a:b@c", false},
                 {"a@", false}, {"a@b ", false}, {" a@b", false}, {"a@b\n", false}};

    for (size_t i = 0; i < TEST_COUNT(table); i++) {
        struct path p;

        if (!check((path_parse_address(&p, str_of(table[i].text), &arena) == PATH_OK) == table[i].good))
            printf("#   %s\n", table[i].text);
    }
    arena_done(&arena);
}

/* For every local part of up to three octets of those that matter: what is written means what was read. */
static void formatting_is_undone_by_parsing(void)
{
    static const char octets[] = "a.\"\\ @><\xc3\xa4(";

    for (size_t n = 0; n < 12 * 12 * 12 && !test_failed(); n++) {
        char local[3] = {octets[n % 12 % 11], octets[n / 12 % 12 % 11], octets[n / 144 % 11]};
        size_t length = 1 + n % 3;
        struct str meant = {local, length}, text;
        struct path p;

        if (!str_is_utf8(meant))
            continue;
        text = path_format(meant, STR("b.example"), &arena);
        if (check_number(path_parse_address(&p, text, &arena), PATH_OK)) {
            check_str(p.local, meant);
            check_str(p.address, text);
        }
    }
    arena_done(&arena);
}

static const struct test_case cases[] = {
    TEST_CASE(good_paths),
    TEST_CASE(bad_paths),
    TEST_CASE(lengths),
    TEST_CASE(postmaster_is_any_case),
    TEST_CASE(addresses_stand_alone),
    TEST_CASE(formatting_is_undone_by_parsing),
};

int main(int argc, char **argv)
{
    return test_main(cases, TEST_COUNT(cases), argc, argv);
}

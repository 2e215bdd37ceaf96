#include "test.h"

#include "smtp/domain.h"

static void labels(char *to, size_t count, size_t length)
{
    size_t at = 0;

    for (size_t i = 0; i < count; i++) {
        memset(to + at, 'a', length);
        at += length;
        to[at++] = '.';
    }
    to[at - 1] = '\0';
}

static void domains_have_one_form(void)
{
    static const struct {
        const char *typed, *form; /* NULL: none */
    } table[] = {
        {"example.com", "example.com"}, {"EXAMPLE.Com", "example.com"}, {"example.com.", "example.com"}, {"localhost", "localhost"}, {"a", "a"},
        {"1.example", "1.example"}, {"a-b.c--d", "a-b.c--d"}, {"_dmarc.a_b", "_dmarc.a_b"},
        /* RFC 5890, UTS 46 non-transitional: A-labels, NFC, case, sharp s kept. */
        {"b\xc3\xbc" "cher.example", "xn--bcher-kva.example"}, {"B\xc3\x9c" "CHER.example", "xn--bcher-kva.example"},
        {"bu\xcc\x88" "cher.example", "xn--bcher-kva.example"}, {"XN--BCHER-KVA.example", "xn--bcher-kva.example"},
        {"fa\xc3\x9f.de", "xn--fa-hia.de"}, {"\xe4\xbe\x8b\xe3\x81\x88.jp", "xn--r8jz45g.jp"}, {"b\xc3\xbc" "cher.example.", "xn--bcher-kva.example"},
        /* Literals: RFC 5321 section 4.1.3 */
        {"[192.0.2.1]", "[192.0.2.1]"}, {"[IPv6:2001:DB8::1]", "[IPv6:2001:db8::1]"}, {"[ipv6:2001:db8:0:0:0:0:0:1]", "[IPv6:2001:db8::1]"},
        {"", NULL}, {".", NULL}, {"..", NULL}, {".a", NULL}, {"a..b", NULL}, {"a..", NULL}, {"-a.b", NULL}, {"a-.b", NULL}, {"a.-b", NULL}, {"a b", NULL},
        {" a", NULL}, {"a ", NULL}, {"a@b", NULL}, {"a/b", NULL}, {"a:b", NULL}, {"a\\b", NULL}, {"\"a\"", NULL}, {"a,b", NULL}, {"a;b", NULL}, {"(a)", NULL},
        {"*", NULL}, {"*.a", NULL}, {"a%b", NULL}, {"a'b", NULL}, {"a\tb", NULL}, {"a\r\nb", NULL}, {"a\x7f", NULL}, {"a\x1b[", NULL},
        {"\xff.example", NULL}, {"\xc3.example", NULL}, {"a\xc2\xa0" "b", NULL}, {"\xe2\x80\xae.example", NULL}, {"\xc2\x85.example", NULL},
        {"[", NULL}, {"[]", NULL}, {"[192.0.2.1", NULL}, {"192.0.2.1]", NULL}, {"[192.0.2.256]", NULL}, {"[2001:db8::1]", NULL}, {"[IPv6:192.0.2.1]", NULL},
        {"[IPv6:]", NULL}, {"[IPv6:2001:db8::1", NULL}, {"[tag:content]", NULL}, {"[ 192.0.2.1]", NULL}, {"[192.0.2.1].", NULL}, {"[[192.0.2.1]]", NULL},
        {"[IPv6:fe80::1%25lo]", NULL}, {"[192.0.2.1]x", NULL},
    };

    for (size_t i = 0; i < TEST_COUNT(table); i++) {
        char to[DOMAIN_SIZE], again[DOMAIN_SIZE];
        bool good = domain_normalize(str_of(table[i].typed), to);

        if (!check(good == (table[i].form != NULL)) || (good && !check_text(to, table[i].form)))
            printf("#   row %zu: %s\n", i, table[i].typed);
        /* The form of a form is itself. */
        if (good) {
            check(domain_normalize(str_of(to), again));
            check_text(again, to);
        }
    }
}

static void nul_is_no_letter(void)
{
    char to[DOMAIN_SIZE];

    check(!domain_normalize(STR("example.com\0.evil"), to));
    check(!domain_normalize(STR("\0"), to));
    check(!domain_normalize(STR("b\xc3\xbc\0.evil"), to));
}

static void lengths_are_bounded(void)
{
    char domain[2000], to[DOMAIN_SIZE];

    labels(domain, 1, 63);
    check(domain_normalize(str_of(domain), to));
    labels(domain, 1, 64);
    check(!domain_normalize(str_of(domain), to));
    labels(domain, 4, 63); /* 4 * 63 + 3 = 255 */
    check(domain_normalize(str_of(domain), to));
    check_text(to, domain);
    labels(domain, 128, 1); /* 255 */
    check(domain_normalize(str_of(domain), to));
    labels(domain, 129, 1);
    check(!domain_normalize(str_of(domain), to));
    labels(domain, 4, 63);
    strcat(domain, ".");
    check(domain_normalize(str_of(domain), to));
    labels(domain, 20, 63);
    check(!domain_normalize(str_of(domain), to));
    /* A label that is too long only in its A-label form. */
    domain[0] = '\0';
    for (int i = 0; i < 60; i++)
        strcat(domain, "\xe4\xbe\x8b");
    check(!domain_normalize(str_of(domain), to));
    for (int i = 0; i < 500; i++)
        strcat(domain, "\xc3\xbc");
    check(!domain_normalize(str_of(domain), to));
}

static void literals_give_their_address(void)
{
    struct address a;
    char text[ADDRESS_TEXT_SIZE];

    check(domain_is_literal(STR("[IPv6:::ffff:192.0.2.1]"), &a));
    address_text(&a, text);
    check_text(text, "192.0.2.1");
    check(domain_is_literal(STR("[IPv6:2001:db8::1]"), &a));
    address_text(&a, text);
    check_text(text, "2001:db8::1");
    check(!domain_is_literal(STR("example.com"), &a));
    check(!domain_is_literal(STR("192.0.2.1"), &a));
    check(!domain_is_literal(STR("["), &a));
    check(!domain_is_literal(STR("[]"), &a));
}

static const struct test_case cases[] = {
    TEST_CASE(domains_have_one_form),
    TEST_CASE(nul_is_no_letter),
    TEST_CASE(lengths_are_bounded),
    TEST_CASE(literals_give_their_address),
};

int main(int argc, char **argv)
{
    return test_main(cases, TEST_COUNT(cases), argc, argv);
}

#include "test.h"

#include "net/dns_forward.h"
#include "net/dns_name.h"
#include "net/dns_records.h"

/* A record of a string literal, its NUL not counted. */
#define RECORD(literal) STR(literal)

static void fill(char *to, char byte, size_t count)
{
    memset(to, byte, count);
}

static void names_come_out_in_their_form(void)
{
    char name[DNS_NAME_SIZE];

    check(dns_read_name(RECORD("\2MX\7Example\3oRG\0"), name));
    check_text(name, "mx.example.org");
    check(dns_read_name(RECORD("\4_dmx\3a-1\0"), name));
    check_text(name, "_dmx.a-1");
    check(dns_read_name(RECORD("\0"), name));
    check_text(name, "");
}

static void names_that_are_none_are_refused(void)
{
    static const struct str bad[] = {
        {"", 0},                          /* nothing */
        {"\3abc", 4},                     /* no end */
        {"\3ab", 3},                      /* cut in a label */
        {"\4abc\0", 5},                   /* the label takes the end */
        {"\3abc\0x", 6},                  /* something behind it */
        {"\3abc\300\14", 6},              /* a pointer: data is not compressed */
        {"\100a\0", 3},                   /* a label of another kind */
        {"\3a.b\0", 5},                   /* a dot in a label */
        {"\3a b\0", 5}, {"\3a\0b\0", 5},
        {"\3a\r\n\0", 5}, {"\3a\303\244\0", 5}, {"\3a\\b\0", 5}, {"\3a/b\0", 5}, {"\1*\3com\0", 7},
        {"\377", 1},
    };
    char name[DNS_NAME_SIZE];

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        memset(name, 'x', sizeof name);
        check(!dns_read_name(bad[i], name));
        check_text(name, "");
    }
}

static void names_have_a_greatest_length(void)
{
    char wire[300], name[DNS_NAME_SIZE];
    size_t at = 0;

    for (int i = 0; i < 4; i++) {
        wire[at] = (char)(i < 3 ? 63 : 61);
        fill(wire + at + 1, 'a', (size_t)wire[at]);
        at += 1 + (size_t)wire[at];
    }
    wire[at++] = 0;
    check_number(at, 255);
    check(dns_read_name((struct str){wire, at}, name));
    check_number(strlen(name), 253);
    wire[192] = 62;
    fill(wire + 193, 'a', 62);
    wire[255] = 0;
    check(!dns_read_name((struct str){wire, 256}, name));
    for (at = 0; at < 254; at += 2)
        memcpy(wire + at, "\1a", 2);
    wire[254] = 0;
    check(dns_read_name((struct str){wire, 255}, name));
    memcpy(wire + 254, "\1a", 3);
    check(!dns_read_name((struct str){wire, 257}, name));
}

static void mx_records_have_a_preference_and_a_host(void)
{
    struct dns_mx mx;

    check(dns_read_mx(RECORD("\1\2\2mx\4test\0"), &mx));
    check_number(mx.preference, 258);
    check_text(mx.host, "mx.test");
    check(dns_read_mx(RECORD("\377\377\0"), &mx));
    check_number(mx.preference, 65535);
    check_text(mx.host, "");
    check(!dns_read_mx(RECORD("\0\12"), &mx));
    check(!dns_read_mx(RECORD("\0"), &mx));
    check(!dns_read_mx(RECORD(""), &mx));
    check(!dns_read_mx(RECORD("\0\12\2mx\0\0"), &mx));
}

static void tlsa_records_have_data(void)
{
    struct dns_tlsa tlsa;

    check(dns_read_tlsa(RECORD("\3\1\377xyz"), &tlsa));
    check_number(tlsa.usage, 3);
    check_number(tlsa.selector, 1);
    check_number(tlsa.matching, 255);
    check_str(tlsa.data, STR("xyz"));
    check(!dns_read_tlsa(RECORD("\3\1\1"), &tlsa));
    check(!dns_read_tlsa(RECORD(""), &tlsa));
    check_number(tlsa.data.length, 0);
}

static void addresses_have_their_length(void)
{
    struct address address;
    char text[ADDRESS_TEXT_SIZE];

    check(dns_read_address(RECORD("\300\0\2\1"), DNS_A, &address));
    address_text(&address, text);
    check_text(text, "192.0.2.1");
    check_number(address.port, 0);
    check(dns_read_address(RECORD("\40\1\15\270\0\0\0\0\0\0\0\0\0\0\0\1"), DNS_AAAA, &address));
    address_text(&address, text);
    check_text(text, "2001:db8::1");
    check(dns_read_address(RECORD("\0\0\0\0\0\0\0\0\0\0\377\377\300\0\2\1"), DNS_AAAA, &address));
    address_text(&address, text);
    check_text(text, "192.0.2.1");
    check(!dns_read_address(RECORD("\300\0\2"), DNS_A, &address));
    check(!dns_read_address(RECORD("\300\0\2\1\1"), DNS_A, &address));
    check(!dns_read_address(RECORD("\300\0\2\1"), DNS_AAAA, &address));
    check(!dns_read_address(RECORD(""), DNS_A, &address));
    check_number(address.family, AF_UNSPEC);
}

static void txt_strings_are_joined(void)
{
    struct buf text;

    buf_init(&text, 12);
    check(dns_read_txt(RECORD("\5v=spf\2 a\0\1x"), &text));
    check_text(buf_text(&text), "v=spf ax");
    check(!dns_read_txt(RECORD("\5v=spf"), &text));
    check(text.full);
    buf_done(&text);
    buf_init(&text, 0);
    check(!dns_read_txt(RECORD(""), &text));
    check(!dns_read_txt(RECORD("\5v=sp"), &text));
    check(!dns_read_txt(RECORD("\1a\1"), &text));
    buf_clear(&text);
    check(dns_read_txt(RECORD("\0"), &text));
    check_number(text.length, 0);
    buf_done(&text);
}

static void reverse_names(void)
{
    struct address address;
    char name[DNS_NAME_SIZE];

    check(address_parse(&address, STR("192.0.2.1")));
    dns_reverse_name(&address, name);
    check_text(name, "1.2.0.192.in-addr.arpa");
    check(address_parse(&address, STR("2001:db8::567:89ab")));
    dns_reverse_name(&address, name);
    check_text(name, "b.a.9.8.7.6.5.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa");
}

static void names_in_text_have_one_form(void)
{
    static const char *const bad[] = {"", ".", "..", "a..b", ".a", "a b", "a\n", "\303\244.de", "a/b", "*.de", "a.."};
    char name[DNS_NAME_SIZE], text[300];

    check(dns_name_normalize("MX.Example.ORG.", name));
    check_text(name, "mx.example.org");
    check(dns_name_normalize("_25._tcp.a", name));
    check_text(name, "_25._tcp.a");
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        check(!dns_name_normalize(bad[i], name));
    fill(text, 'a', 64);
    text[64] = '\0';
    check(!dns_name_normalize(text, name));
    check(dns_name_normalize(text + 1, name));
    for (size_t i = 0; i < 254; i += 2)
        memcpy(text + i, "a.", 3);
    check(dns_name_normalize(text, name));
    check_number(strlen(name), 253);
    memcpy(text + 254, "a", 2);
    check(!dns_name_normalize(text, name));
}

static void resolvers_are_checked(void)
{
    static const char *const good[] = {"", " ", "root", " ROOT ", "192.0.2.1", "192.0.2.1@5353",
                                       "2001:db8::1@53; 192.0.2.1 ,127.0.0.1", ";"};
    static const char *const bad[] = {"dns.example", "192.0.2.1@", "192.0.2.1@0", "192.0.2.1@65536", "192.0.2.1@x", "@53", "192.0.2.1:53",
                                      "[::1]@53", "root;192.0.2.1", "192.0.2.1 192.0.2.2", "0.0.0.0", "::", "192.0.2.1@53@53"};
    struct buf problems = {0};

    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        check(dns_check_forward(good[i], &problems));
    check_number(problems.length, 0);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        buf_clear(&problems);
        check(!dns_check_forward(bad[i], &problems));
        check(problems.length > 0 && problems.data[problems.length - 1] == '\n');
    }
    buf_done(&problems);
}

static void resolvers_have_a_port(void)
{
    struct str rest = STR("192.0.2.1;; nonsense, 2001:DB8::1@5300"), item;
    char resolver[DNS_FORWARD_SIZE];

    check(dns_forward_next(&rest, &item, resolver));
    check_text(resolver, "192.0.2.1@53");
    check(dns_forward_next(&rest, &item, resolver));
    check_text(resolver, "");
    check_str(item, STR("nonsense"));
    check(dns_forward_next(&rest, &item, resolver));
    check_text(resolver, "2001:db8::1@5300");
    check(!dns_forward_next(&rest, &item, resolver));
}

static const struct test_case cases[] = {
    TEST_CASE(names_come_out_in_their_form),
    TEST_CASE(names_that_are_none_are_refused),
    TEST_CASE(names_have_a_greatest_length),
    TEST_CASE(mx_records_have_a_preference_and_a_host),
    TEST_CASE(tlsa_records_have_data),
    TEST_CASE(addresses_have_their_length),
    TEST_CASE(txt_strings_are_joined),
    TEST_CASE(reverse_names),
    TEST_CASE(names_in_text_have_one_form),
    TEST_CASE(resolvers_are_checked),
    TEST_CASE(resolvers_have_a_port),
};

int main(int argc, char **argv)
{
    return test_main(cases, TEST_COUNT(cases), argc, argv);
}

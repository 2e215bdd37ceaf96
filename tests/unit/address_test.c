#include "test.h"

#include "net/address.h"

#include "place.h"

#include <arpa/inet.h>

static void addresses_are_read_and_written(void)
{
    static const struct {
        const char *text;
        int family;
        const char *written, *literal;
    } table[] = {
        {"192.0.2.1", AF_INET, "192.0.2.1", "[192.0.2.1]"},
        {"255.255.255.255", AF_INET, "255.255.255.255", "[255.255.255.255]"},
        {"2001:DB8:0:0:0:0:0:1", AF_INET6, "2001:db8::1", "[IPv6:2001:db8::1]"},
        {"2001:db8:0:1:1:1:1:1", AF_INET6, "2001:db8:0:1:1:1:1:1", "[IPv6:2001:db8:0:1:1:1:1:1]"}, /* RFC 5952 section 4.2.2 */
        {"2001:0:0:1:0:0:0:1", AF_INET6, "2001:0:0:1::1", "[IPv6:2001:0:0:1::1]"},                 /* section 4.2.3 */
        {"2001:db8::1:0:0:1", AF_INET6, "2001:db8::1:0:0:1", "[IPv6:2001:db8::1:0:0:1]"},
        {"::", AF_INET6, "::", "[IPv6:::]"},
        {"::1", AF_INET6, "::1", "[IPv6:::1]"},
        {"::ffff:192.0.2.1", AF_INET, "192.0.2.1", "[192.0.2.1]"},
        {"::ffff:c000:201", AF_INET, "192.0.2.1", "[192.0.2.1]"},
        {"2001:db8:1111:2222:3333:4444:5555:6666", AF_INET6, "2001:db8:1111:2222:3333:4444:5555:6666",
         "[IPv6:2001:db8:1111:2222:3333:4444:5555:6666]"},
    };

    for (size_t i = 0; i < TEST_COUNT(table); i++) {
        struct address a;
        char to[ADDRESS_TEXT_SIZE];

        if (!check(address_parse(&a, str_of(table[i].text)))) {
            printf("#   %s\n", table[i].text);
            continue;
        }
        check_number(a.family, table[i].family);
        check_number(a.port, 0);
        address_text(&a, to);
        check_text(to, table[i].written);
        address_literal(&a, to);
        check_text(to, table[i].literal);
    }
}

static void nonsense_is_no_address(void)
{
    static const struct str bad[] = {
        {"", 0}, {"1.2.3", 5}, {"1.2.3.4.5", 9}, {"1.2.3.256", 9}, {"01.2.3.4", 8}, {"1.2.3.4 ", 8}, {" 1.2.3.4", 8}, {"1.2.3.4\0", 8}, {"0x7f.0.0.1", 10},
        {"127.1", 5}, {"2130706433", 10}, {":", 1}, {":::", 3}, {"1::2::3", 7}, {"12345::", 7}, {"::g", 3}, {"fe80::1%lo", 10}, {"[::1]", 5}, {"1:2:3:4:5:6:7:8:9", 17},
        {"1:2:3:4:5:6:7", 13}, {"::1.2.3", 7}, {"2001:db8:1111:2222:3333:4444:5555:6666:7777:8888", 49}, {"host", 4},
    };

    for (size_t i = 0; i < TEST_COUNT(bad); i++) {
        struct address a;

        if (!check(!address_parse(&a, bad[i])))
            printf("#   %s\n", bad[i].data);
    }
}

static void ports_follow_a_colon(void)
{
    static const char *const texts[] = {"192.0.2.1:25", "[2001:db8::1]:65535", "192.0.2.1:0", "[::]:1"};

    for (size_t i = 0; i < TEST_COUNT(texts); i++) {
        struct address a = address_at(texts[i]);
        char to[ADDRESS_TEXT_SIZE];

        address_text_port(&a, to);
        check_text(to, texts[i]);
    }
}

static struct address address_of(const char *text)
{
    struct address a;

    check(address_parse(&a, str_of(text)));
    return a;
}

static void comparisons(void)
{
    struct address a = address_of("192.0.2.1"), b = address_of("::ffff:192.0.2.1"), c = address_of("192.0.2.2"), six = address_of("::1");
    struct address any4 = address_of("0.0.0.0"), any6 = address_of("::"), loop = address_of("127.255.0.1");

    b.port = 25;
    check(address_equal(&a, &b) && !address_equal(&a, &c) && !address_equal(&a, &six) && !address_equal(&any4, &any6));
    check(address_is_any(&any4) && address_is_any(&any6) && !address_is_any(&a) && !address_is_any(&six));
    check(address_is_loopback(&loop) && address_is_loopback(&six) && !address_is_loopback(&a) && !address_is_loopback(&any4));
    six = address_of("7f00::1");
    check(!address_is_loopback(&six));
    a = address_of("fe80::1");
    b = a;
    b.scope = 2;
    check(!address_equal(&a, &b));
}

static void sockets_and_back(void)
{
    static const char *const texts[] = {"192.0.2.1:25", "[2001:db8::1]:2525", "0.0.0.0:0", "[fe80::1]:1"};

    for (size_t i = 0; i < TEST_COUNT(texts); i++) {
        struct sockaddr_storage s;
        struct address a = address_at(texts[i]), b;

        a.scope = a.family == AF_INET6 ? 3 : 0;
        check(address_to_socket(&a, &s) == (a.family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6)));
        address_from_socket(&b, &s);
        check(address_equal(&a, &b));
        check_number(b.port, a.port);
    }
    struct sockaddr_storage s = {.ss_family = AF_UNIX};
    struct address a;
    char to[ADDRESS_TEXT_SIZE];
    address_from_socket(&a, &s);
    check_number(a.family, AF_UNSPEC);
    address_text(&a, to);
    check(to[0] != '\0');
    /* A dual-stack socket's mapped client is an IPv4 client. */
    struct sockaddr_in6 mapped = {.sin6_family = AF_INET6, .sin6_port = htons(7)};
    inet_pton(AF_INET6, "::ffff:192.0.2.9", &mapped.sin6_addr);
    memcpy(&s, &mapped, sizeof mapped);
    address_from_socket(&a, &s);
    address_text_port(&a, to);
    check_text(to, "192.0.2.9:7");
}

static void networks(void)
{
    static const struct {
        const char *text;
        int length; /* -1: none */
    } table[] = {
        {"192.0.2.0/24", 24}, {"192.0.2.1", 32}, {"192.0.2.1/32", 32}, {"0.0.0.0/0", 0}, {"2001:db8::/32", 32}, {"2001:db8::1", 128}, {"::/0", 0},
        {"128.0.0.0/1", 1}, {"192.0.2.128/25", 25}, {"192.0.2.64/25", -1}, {"192.0.2.1/24", -1}, {"2001:db8::1/64", -1}, {"192.0.2.0/33", -1},
        {"2001:db8::/129", -1}, {"192.0.2.0/", -1}, {"192.0.2.0/-1", -1}, {"192.0.2.0/255.255.255.0", -1}, {"/24", -1}, {"", -1}, {"1.0.0.0/0", -1},
        {"192.0.2.0/24/24", -1}, {"192.0.2.0 /24", -1},
    };

    for (size_t i = 0; i < TEST_COUNT(table); i++) {
        struct address a;
        int length = -1;
        bool good = address_parse_network(&a, &length, str_of(table[i].text));

        if (!check(good == (table[i].length >= 0)) || (good && !check_number(length, table[i].length)))
            printf("#   %s\n", table[i].text);
    }
}

static bool in_range(const char *network, const char *address)
{
    struct address n, a = address_of(address);
    unsigned char first[16], last[16], own[16];
    int length;

    check(address_parse_network(&n, &length, str_of(network)));
    address_range(&n, length, first, last);
    address_bytes16(&a, own);
    return memcmp(first, own, 16) <= 0 && memcmp(own, last, 16) <= 0;
}

static void ranges_hold_their_addresses(void)
{
    check(in_range("192.0.2.0/24", "192.0.2.0") && in_range("192.0.2.0/24", "192.0.2.255"));
    check(!in_range("192.0.2.0/24", "192.0.1.255") && !in_range("192.0.2.0/24", "192.0.3.0"));
    check(in_range("192.0.2.4/30", "192.0.2.7") && !in_range("192.0.2.4/30", "192.0.2.8"));
    check(in_range("192.0.2.1", "192.0.2.1") && !in_range("192.0.2.1", "192.0.2.2"));
    check(in_range("2001:db8::/33", "2001:db8:7fff::1") && !in_range("2001:db8::/33", "2001:db8:8000::"));
    /* 0.0.0.0/0 is all of IPv4 and nothing else; ::/0 is all. */
    check(in_range("0.0.0.0/0", "255.255.255.255") && !in_range("0.0.0.0/0", "::1") && !in_range("0.0.0.0/0", "2001:db8::1"));
    check(in_range("::/0", "192.0.2.1") && in_range("::/0", "ffff::"));
}

static const struct test_case cases[] = {
    TEST_CASE(addresses_are_read_and_written),
    TEST_CASE(nonsense_is_no_address),
    TEST_CASE(ports_follow_a_colon),
    TEST_CASE(comparisons),
    TEST_CASE(sockets_and_back),
    TEST_CASE(networks),
    TEST_CASE(ranges_hold_their_addresses),
};

int main(int argc, char **argv)
{
    return test_main(cases, TEST_COUNT(cases), argc, argv);
}

#include "test.h"

#include "net/resolve.h"
#include "net/reverse.h"

#include "nameserver.h"

enum { PATIENCE_MS = 5000, CROWD = 50 };

static struct nameserver server;
static struct arena arena;
static struct dns *dns;
static unsigned char crowd4[CROWD][4], crowd6[CROWD][16];

static void add_crowd(void)
{
    for (int i = 0; i < CROWD; i++) {
        memcpy(crowd4[i], "\12\1\0", 3);
        crowd4[i][3] = (unsigned char)i;
        memcpy(crowd6[i], "\40\1\15\270", 4);
        crowd6[i][15] = (unsigned char)(i + 1);
        nameserver_add(&server, "crowd.test", DNS_A, (struct str){(char *)crowd4[i], 4});
        nameserver_add(&server, "crowd.test", DNS_AAAA, (struct str){(char *)crowd6[i], 16});
    }
}

static void fill_zone(void)
{
    const struct str four = STR("\300\0\2\1"), six = STR("\40\1\15\270\0\0\0\0\0\0\0\0\0\0\0\1");

    nameserver_add(&server, "both.test", DNS_A, STR("\300\0\2\1"));
    nameserver_add(&server, "both.test", DNS_A, STR("\300\0\2\2"));
    nameserver_add(&server, "both.test", DNS_AAAA, six);
    nameserver_add(&server, "four.test", DNS_A, four);
    nameserver_add(&server, "six.test", DNS_AAAA, six);
    nameserver_add(&server, "mapped.test", DNS_AAAA, STR("\0\0\0\0\0\0\0\0\0\0\377\377\300\0\2\7"));
    nameserver_add(&server, "alias.test", DNS_CNAME, STR("\4both\4test\0"));
    nameserver_add(&server, "text.test", DNS_TXT, STR("\1x"));
    nameserver_add_fault(&server, "broken.test", 0, NAMESERVER_SERVFAIL);
    nameserver_add(&server, "half.test", DNS_A, four);
    nameserver_add_fault(&server, "half.test", DNS_AAAA, NAMESERVER_SERVFAIL);
    nameserver_add_fault(&server, "other-half.test", DNS_A, NAMESERVER_SERVFAIL);
    nameserver_add_fault(&server, "slow.test", DNS_A, NAMESERVER_SLOW);
    nameserver_add_fault(&server, "slow.test", DNS_AAAA, NAMESERVER_SLOW);
    nameserver_add(&server, "mute-half.test", DNS_A, four);
    nameserver_add_fault(&server, "mute-half.test", DNS_AAAA, NAMESERVER_MUTE);
    nameserver_add(&server, "zero.test", DNS_A, STR("\0\0\0\0"));
    nameserver_add(&server, "zero.test", DNS_AAAA, STR("\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"));
    nameserver_add(&server, "mapped-zero.test", DNS_AAAA, STR("\0\0\0\0\0\0\0\0\0\0\377\377\0\0\0\0"));
    nameserver_add(&server, "zero-and-four.test", DNS_A, STR("\0\0\0\0"));
    nameserver_add(&server, "zero-and-four.test", DNS_A, four);
    nameserver_add(&server, "zero-half.test", DNS_A, STR("\0\0\0\0"));
    nameserver_add_fault(&server, "zero-half.test", DNS_AAAA, NAMESERVER_SERVFAIL);
    nameserver_add(&server, "1.2.0.192.in-addr.arpa", DNS_PTR, STR("\4Lost\4test\0"));
    nameserver_add(&server, "1.2.0.192.in-addr.arpa", DNS_PTR, STR("\4both\4test\0"));
    nameserver_add(&server, "9.2.0.192.in-addr.arpa", DNS_PTR, STR("\4both\4test\0"));
    nameserver_add(&server, "8.2.0.192.in-addr.arpa", DNS_PTR, STR("\5a b.c\0"));
    nameserver_add(&server, "7.2.0.192.in-addr.arpa", DNS_PTR, STR("\0"));
    nameserver_add(&server, "6.2.0.192.in-addr.arpa", DNS_PTR, STR("\6broken\4test\0"));
    nameserver_add(&server, "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa", DNS_PTR, STR("\3SIX\4test\0"));
    add_crowd();
}

static struct resolved find(const char *host, enum resolve_families families)
{
    struct resolved to;

    resolve(dns, host, 25, families, clock_now() + PATIENCE_MS, &arena, &to);
    check(to.canonical != NULL);
    check_number(status_is_ok(&to.status), to.count > 0);
    for (size_t i = 0; i < to.count; i++)
        check_number(to.addresses[i].port, 25);
    return to;
}

/* "4" and "6" of the addresses in their order. */
static const char *families_of(const struct resolved *r)
{
    static char text[RESOLVE_MOST + 1];

    for (size_t i = 0; i < r->count; i++)
        text[i] = r->addresses[i].family == AF_INET ? '4' : '6';
    text[r->count] = '\0';
    return text;
}

static const char *first_of(const struct resolved *r)
{
    static char text[ADDRESS_TEXT_SIZE];

    address_text(&r->addresses[0], text);
    return text;
}

static void an_address_is_its_own_answer(void)
{
    struct resolved r = find("192.0.2.33", RESOLVE_IPV6_ONLY);

    check_text(first_of(&r), "192.0.2.33");
    check(r.secure && r.count == 1);
    check_text(r.canonical, "192.0.2.33");
    r = find("2001:db8::33", RESOLVE_IPV4_FIRST);
    check_text(first_of(&r), "2001:db8::33");
}

static void families_take_turns(void)
{
    struct resolved r = find("both.test", RESOLVE_IPV6_FIRST);

    check_text(families_of(&r), "644");
    check(!r.secure);
    r = find("both.test", RESOLVE_IPV4_FIRST);
    check_text(families_of(&r), "464");
    r = find("both.test", RESOLVE_IPV6_ONLY);
    check_text(families_of(&r), "6");
    r = find("both.test", RESOLVE_IPV4_ONLY);
    check_text(families_of(&r), "44");
    r = find("four.test", RESOLVE_IPV6_FIRST);
    check_text(families_of(&r), "4");
    r = find("six.test", RESOLVE_IPV4_FIRST);
    check_text(families_of(&r), "6");
}

static void aliases_have_their_end(void)
{
    struct resolved r = find("Alias.test", RESOLVE_IPV4_FIRST);

    check_number(r.count, 3);
    check_text(r.canonical, "both.test");
    r = find("both.test", RESOLVE_IPV4_FIRST);
    check_text(r.canonical, "both.test");
}

static void mapped_addresses_are_what_they_are(void)
{
    struct resolved r = find("mapped.test", RESOLVE_IPV6_FIRST);

    check_text(first_of(&r), "192.0.2.7");
}

static void many_addresses_are_bounded_and_shuffled(void)
{
    char first[ADDRESS_TEXT_SIZE];
    struct resolved r = find("crowd.test", RESOLVE_IPV6_FIRST);
    bool moved = false;

    check_number(r.count, RESOLVE_MOST);
    check(strncmp(families_of(&r), "646464", 6) == 0);
    snprintf(first, sizeof first, "%s", first_of(&r));
    for (int i = 0; i < 20 && !moved; i++) {
        r = find("crowd.test", RESOLVE_IPV6_FIRST);
        moved = strcmp(first, first_of(&r)) != 0;
    }
    check(moved);
    for (size_t i = 0; i < r.count; i++)
        for (size_t j = 0; j < i; j++)
            check(!address_equal(&r.addresses[i], &r.addresses[j]));
}

static void who_has_none_is_told(void)
{
    struct resolved r = find("nope.test", RESOLVE_IPV6_FIRST);

    check_number(r.status.code, 550);
    check_number(r.status.detail, 2);
    check_has(r.status.text, "There is no host nope.test");
    r = find("text.test", RESOLVE_IPV6_FIRST);
    check_number(r.status.code, 550);
    check_has(r.status.text, "text.test has no address");
    r = find("not a name", RESOLVE_IPV6_FIRST);
    check_number(r.status.code, 550);
    r = find("broken.test", RESOLVE_IPV6_FIRST);
    check(status_is_temporary(&r.status));
    check_number(r.status.subject, 4);
    check_number(r.status.detail, 3);
    check_has(r.status.text, "SERVFAIL");
    check(!r.secure);
    check_text(r.canonical, "broken.test");
}

static void one_family_is_enough(void)
{
    struct resolved r = find("half.test", RESOLVE_IPV6_FIRST);

    check_text(families_of(&r), "4");
    check_text(r.canonical, "half.test");
    /* That the other family has none says nothing of the one that failed. */
    r = find("other-half.test", RESOLVE_IPV6_FIRST);
    check(status_is_temporary(&r.status));
}

/* What our configuration leaves out may be there. */
static void a_family_that_is_not_wanted_may_have_one(void)
{
    struct resolved r = find("four.test", RESOLVE_IPV6_ONLY);

    check_number(r.status.code, 451);
    check_number(r.status.subject, 4);
    check_number(r.status.detail, 4);
    check_text(r.status.text, "four.test has no IPv6 address, and TMAIL_DELIVERD_IP_PREFERENCE wants no other");
    r = find("six.test", RESOLVE_IPV4_ONLY);
    check_text(r.status.text, "six.test has no IPv4 address, and TMAIL_DELIVERD_IP_PREFERENCE wants no other");
    r = find("nope.test", RESOLVE_IPV4_ONLY);
    check_number(r.status.code, 550);
    check_number(r.status.detail, 2);
}

static void the_unspecified_addresses_do_not_count(void)
{
    static const char *const none[] = {"zero.test", "mapped-zero.test", "0.0.0.0", "::"};
    struct resolved r;

    for (size_t i = 0; i < sizeof none / sizeof none[0]; i++) {
        r = find(none[i], RESOLVE_IPV6_FIRST);
        check_number(r.count, 0);
        check_number(r.status.code, 550);
        check_has(r.status.text, "that can be connected to");
    }
    r = find("zero-and-four.test", RESOLVE_IPV6_FIRST);
    check_text(families_of(&r), "4");
    check_text(first_of(&r), "192.0.2.1");
    /* The other family may have one. */
    r = find("zero-half.test", RESOLVE_IPV6_FIRST);
    check_number(r.status.code, 451);
    check_number(r.status.detail, 3);
}

static void both_families_are_asked_at_the_same_time(void)
{
    const int64_t before = clock_now();
    const struct resolved r = find("slow.test", RESOLVE_IPV6_FIRST);

    check_text(families_of(&r), "4");
    check(clock_now() >= before + NAMESERVER_SLOW_MS && clock_now() < before + 2 * NAMESERVER_SLOW_MS - 50);
}

static void a_family_without_an_answer_leaves_half_of_the_time(void)
{
    const int64_t before = clock_now();
    struct resolved r;

    resolve(dns, "mute-half.test", 25, RESOLVE_IPV6_FIRST, before + 1000, &arena, &r);
    check_text(families_of(&r), "4");
    check(clock_now() >= before + 500 && clock_now() < before + 900);
}

static void no_time_is_a_temporary_failure(void)
{
    struct resolved r;

    resolve(dns, "both.test", 25, RESOLVE_IPV6_FIRST, clock_now(), &arena, &r);
    check(status_is_temporary(&r.status) && r.count == 0);
}

static const char *name_of(const char *client)
{
    static char name[DNS_NAME_SIZE];
    struct address address;

    check(address_parse(&address, str_of(client)));
    reverse_name(dns, &address, clock_now() + PATIENCE_MS, name);
    return name;
}

static void a_name_counts_when_it_leads_back(void)
{
    check_text(name_of("192.0.2.1"), "both.test");
    check_text(name_of("2001:db8::1"), "six.test");
    check_text(name_of("127.0.0.1"), "localhost");
    check_text(name_of("::1"), "localhost");
    check_text(name_of("192.0.2.9"), "");
    check_text(name_of("192.0.2.8"), "");
    check_text(name_of("192.0.2.7"), "");
    check_text(name_of("192.0.2.6"), "");
    check_text(name_of("192.0.2.200"), "");
}

static const struct test_case cases[] = {
    TEST_CASE(an_address_is_its_own_answer),
    TEST_CASE(families_take_turns),
    TEST_CASE(aliases_have_their_end),
    TEST_CASE(mapped_addresses_are_what_they_are),
    TEST_CASE(many_addresses_are_bounded_and_shuffled),
    TEST_CASE(who_has_none_is_told),
    TEST_CASE(one_family_is_enough),
    TEST_CASE(a_family_that_is_not_wanted_may_have_one),
    TEST_CASE(the_unspecified_addresses_do_not_count),
    TEST_CASE(both_families_are_asked_at_the_same_time),
    TEST_CASE(a_family_without_an_answer_leaves_half_of_the_time),
    TEST_CASE(no_time_is_a_temporary_failure),
    TEST_CASE(a_name_counts_when_it_leads_back),
};

int main(int argc, char **argv)
{
    struct dns_settings settings = {.forward = server.forward, .trust_anchor = "", .unbound_conf = "", .validate = false};
    char error[DNS_REASON_SIZE];
    int status;

    fill_zone();
    nameserver_start(&server);
    arena_init(&arena);
    dns = dns_open(&settings, error, sizeof error);
    nameserver_must(dns != NULL, error);
    status = test_main(cases, TEST_COUNT(cases), argc, argv);
    dns_close(&dns);
    arena_done(&arena);
    nameserver_stop(&server);
    return status;
}

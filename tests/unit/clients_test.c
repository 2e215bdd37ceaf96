#include "test.h"

#include "base/clock.h"
#include "base/thread.h"
#include "smtpd/clients.h"

#include <poll.h>

/* They live as long as their process. */
static struct clients *make_clients(void)
{
    static struct clients *made[32];
    static size_t count;

    made[count] = clients_new();
    return made[count++];
}

static struct address address_of(const char *text)
{
    struct address a;

    check(address_parse(&a, str_of(text)));
    return a;
}

static void sessions_are_counted_by_address(void)
{
    struct clients *c = make_clients();
    struct address a = address_of("192.0.2.1"), b = address_of("192.0.2.2");

    check_number(clients_total(c), 0);
    check_number(clients_enter(c, &a), 1);
    a.port = 4711; /* another port is the same client */
    check_number(clients_enter(c, &a), 2);
    check_number(clients_enter(c, &b), 1);
    check_number(clients_total(c), 3);
    clients_leave(c, &a);
    check_number(clients_enter(c, &a), 2);
    clients_leave(c, &a);
    clients_leave(c, &a);
    check_number(clients_enter(c, &a), 1);
    check_number(clients_total(c), 2);
    clients_leave(c, &a);
    clients_leave(c, &b);
    check_number(clients_total(c), 0);
}

static void a_network_of_64_bits_is_one_client(void)
{
    static const struct {
        const char *one, *two;
        bool same;
    } table[] = {
        {"2001:db8::1", "2001:db8::ffff:ffff:ffff:ffff", true}, {"2001:db8::1", "2001:db8:0:1::1", false}, {"2001:db8:0:0:ffff::", "2001:db8::", true},
        {"192.0.2.1", "192.0.2.2", false}, {"::1", "192.0.2.1", false}, {"192.0.2.1", "::ffff:192.0.2.1", true},
    };

    for (size_t i = 0; i < TEST_COUNT(table); i++) {
        struct clients *c = make_clients();
        struct address one = address_of(table[i].one), two = address_of(table[i].two);

        clients_enter(c, &one);
        check_number(clients_enter(c, &two), table[i].same ? 2 : 1);
    }
}

static void thousands_of_clients(void)
{
    struct clients *c = make_clients();
    struct address a = address_of("10.0.0.0");

    for (int pass = 0; pass < 2; pass++)
        for (int i = 0; i < 20000; i++) {
            a.bytes[2] = (unsigned char)(i >> 8);
            a.bytes[3] = (unsigned char)i;
            if (pass == 0)
                check_number(clients_enter(c, &a), 1);
            else
                clients_leave(c, &a);
        }
    check_number(clients_total(c), 0);
}

struct visit {
    struct clients *clients;
    struct address address;
};

static void visit(void *argument)
{
    struct visit *v = argument;

    for (int i = 0; i < 2000; i++) {
        clients_enter(v->clients, &v->address);
        clients_leave(v->clients, &v->address);
    }
    poll(NULL, 0, 30);
    clients_leave(v->clients, &v->address);
}

static void waiting_for_the_last_to_leave(void)
{
    static struct visit visits[8];
    struct clients *c = make_clients();
    int64_t before = clock_now();

    check(clients_wait_empty(c, before + 5000));
    for (size_t i = 0; i < TEST_COUNT(visits); i++) {
        visits[i] = (struct visit){c, address_of("192.0.2.1")};
        clients_enter(c, &visits[i].address);
    }
    check(!clients_wait_empty(c, clock_now() + 20));
    for (size_t i = 0; i < TEST_COUNT(visits); i++)
        check(thread_start(visit, &visits[i]));
    check(clients_wait_empty(c, clock_now() + 30000));
    check_number(clients_total(c), 0);
}

static const struct test_case cases[] = {
    TEST_CASE(sessions_are_counted_by_address),
    TEST_CASE(a_network_of_64_bits_is_one_client),
    TEST_CASE(thousands_of_clients),
    TEST_CASE(waiting_for_the_last_to_leave),
};

int main(int argc, char **argv)
{
    return test_main(cases, TEST_COUNT(cases), argc, argv);
}

#include "test.h"

#include "base/clock.h"
#include "deliverd/hosts.h"

#include "place.h"

/* They live as long as their process. */
static struct hosts *make_hosts(int64_t remember_ms)
{
    static struct hosts *made[32];
    static size_t count;

    made[count] = hosts_new(remember_ms);
    return made[count++];
}

static bool is_dead(struct hosts *h, const struct address *host, const struct address *local, int64_t flushed, struct status *why)
{
    return hosts_is_dead(h, &(struct host){.address = host, .local = local}, flushed, why);
}

static void the_dead_are_remembered_with_their_reason(void)
{
    struct hosts *h = make_hosts(60000);
    struct address host = address_at("192.0.2.1:25"), other = address_at("192.0.2.2:25"), port = address_at("192.0.2.1:26");
    struct address six = address_at("[2001:db8::1]:25");
    struct status why = status_make(451, "4.4.1", "Connection refused"), told = {0};

    check(!is_dead(h, &host, NULL, 0, &told));
    hosts_mark_dead(h, &(struct host){.address = &host}, &why);
    check(is_dead(h, &host, NULL, 0, &told));
    check_number(told.code, 451);
    check_text(told.text, "Connection refused");
    check(!is_dead(h, &other, NULL, 0, &told) && !is_dead(h, &port, NULL, 0, &told) && !is_dead(h, &six, NULL, 0, &told));
    hosts_mark_alive(h, &(struct host){.address = &other});
    check(is_dead(h, &host, NULL, 0, &told));
    why = status_make(451, "4.4.1", "Connection timed out");
    hosts_mark_dead(h, &(struct host){.address = &host}, &why);
    check(is_dead(h, &host, NULL, 0, &told));
    check_text(told.text, "Connection timed out");
    hosts_mark_alive(h, &(struct host){.address = &host});
    check(!is_dead(h, &host, NULL, 0, &told));
}

/* What one source address cannot reach another may. */
static void each_source_has_its_own_memory(void)
{
    struct hosts *h = make_hosts(60000);
    struct address host = address_at("192.0.2.1:25"), one = address_at("198.51.100.1:0"), two = address_at("198.51.100.2:0");
    struct status why = status_make(451, "4.4.1", "x"), told;

    hosts_mark_dead(h, &(struct host){.address = &host, .local = &one}, &why);
    check(is_dead(h, &host, &one, 0, &told) && !is_dead(h, &host, &two, 0, &told) && !is_dead(h, &host, NULL, 0, &told));
}

static void memory_ends(void)
{
    struct hosts *h = make_hosts(80);
    struct address host = address_at("192.0.2.1:25");
    struct status why = status_make(451, "4.4.1", "x"), told;

    hosts_mark_dead(h, &(struct host){.address = &host}, &why);
    check(is_dead(h, &host, NULL, 0, &told));
    poll(NULL, 0, 120);
    check(!is_dead(h, &host, NULL, 0, &told));
    h = make_hosts(0);
    hosts_mark_dead(h, &(struct host){.address = &host}, &why);
    check(!is_dead(h, &host, NULL, 0, &told));
}

static void a_flush_counts_for_what_was_dead_before_it(void)
{
    struct hosts *h = make_hosts(60000);
    struct address host = address_at("192.0.2.1:25");
    struct status why = status_make(451, "4.4.1", "x"), told;
    int64_t before = clock_wall() - 1000;

    hosts_mark_dead(h, &(struct host){.address = &host}, &why);
    check(is_dead(h, &host, NULL, before, &told));
    check(!is_dead(h, &host, NULL, clock_wall() + 1000, &told));
    /* For those who did not ask it is dead as before. */
    check(is_dead(h, &host, NULL, 0, &told));
}

static void many_hosts_cost_no_more(void)
{
    struct hosts *h = make_hosts(60000);
    struct status why = status_make(451, "4.4.1", "x"), told;
    struct address host = address_at("10.0.0.0:25");

    for (int i = 0; i < 100000; i++) {
        host.bytes[1] = (unsigned char)(i >> 16);
        host.bytes[2] = (unsigned char)(i >> 8);
        host.bytes[3] = (unsigned char)i;
        hosts_mark_dead(h, &(struct host){.address = &host}, &why);
        if (!check(is_dead(h, &host, NULL, 0, &told)))
            return;
    }
}

static const struct test_case cases[] = {
    TEST_CASE(the_dead_are_remembered_with_their_reason),
    TEST_CASE(each_source_has_its_own_memory),
    TEST_CASE(memory_ends),
    TEST_CASE(a_flush_counts_for_what_was_dead_before_it),
    TEST_CASE(many_hosts_cost_no_more),
};

int main(int argc, char **argv)
{
    return test_main(cases, TEST_COUNT(cases), argc, argv);
}

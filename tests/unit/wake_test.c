#include "test.h"

#include "queue/wake.h"

#include "place.h"

#include <sys/stat.h>

static struct place place;

static bool is_awake(const struct wake *w)
{
    struct pollfd p = {.fd = w->fd, .events = POLLIN};

    return poll(&p, 1, 0) > 0 && (p.revents & POLLIN) != 0;
}

static void a_byte_wakes_and_draining_sleeps_again(void)
{
    struct wake sender, sleeper;
    struct stat facts;

    wake_open(&sleeper, place.folder);
    wake_open(&sender, place.folder);
    check(stat(place_path(&place, "wake"), &facts) == 0 && S_ISFIFO(facts.st_mode) && (facts.st_mode & 0077) == 0);
    check(!is_awake(&sleeper));
    wake_send(&sender);
    check(is_awake(&sleeper));
    wake_drain(&sleeper);
    check(!is_awake(&sleeper));
    /* Sent by somebody who has gone since. */
    wake_send(&sender);
    wake_close(&sender);
    check(is_awake(&sleeper));
    wake_drain(&sleeper);
    check(!is_awake(&sleeper));
    wake_close(&sleeper);
    wake_close(&sleeper);
}

static void a_sleeper_that_never_looks_blocks_nobody(void)
{
    struct wake w;

    wake_open(&w, place.folder);
    for (int i = 0; i < 200000; i++)
        wake_send(&w);
    check(is_awake(&w));
    wake_drain(&w);
    check(!is_awake(&w));
    wake_close(&w);
}

static void exact_multiples_are_drained(void)
{
    struct wake w;

    wake_open(&w, place.folder);
    for (int i = 0; i < 4096; i++)
        wake_send(&w);
    wake_drain(&w);
    check(!is_awake(&w));
    wake_close(&w);
}

static void nowhere_it_does_nothing(void)
{
    struct wake w;

    wake_open(&w, "/nonexistent/folder");
    check_number(w.fd, -1);
    wake_send(&w);
    wake_drain(&w);
    wake_close(&w);
}

static const struct test_case cases[] = {
    TEST_CASE(a_byte_wakes_and_draining_sleeps_again),
    TEST_CASE(a_sleeper_that_never_looks_blocks_nobody),
    TEST_CASE(exact_multiples_are_drained),
    TEST_CASE(nowhere_it_does_nothing),
};

int main(int argc, char **argv)
{
    int status;

    place_open(&place);
    status = test_main(cases, TEST_COUNT(cases), argc, argv);
    place_close(&place);
    return status;
}

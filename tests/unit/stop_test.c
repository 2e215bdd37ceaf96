#include "test.h"

#include "base/clock.h"
#include "base/stop.h"

#include "place.h"

/* The state is the process's, so one case tells the whole story. */
static void a_stop_is_seen_once_and_for_all(void)
{
    struct pollfd polled = {.events = POLLIN};
    int ours, theirs;
    int64_t before, deadline;
    char word[1];

    check_number(stop_fd(), -1);
    check(!stop_seen());
    before = clock_now();
    check(!stop_wait(before + 20));
    check(clock_now() >= before + 20);
    check_number(stop_deadline(), CLOCK_NEVER);

    pair_open(&ours, &theirs);
    check(stop_open(theirs, 5000));
    check_number(stop_control(), theirs);
    check(stop_fd() >= 0 && stop_fd() != theirs);
    check_number(stop_hear(), STOP_NOTHING);
    stop_ready();
    check(read(ours, word, 1) == 1 && word[0] == 'R');
    check(!stop_wait(clock_now() - 1));

    /* Words are heard in order; what is no word is nothing, and none of them begins the stop by itself. */
    check(write(ours, "xD", 2) == 2);
    check_number(stop_hear(), STOP_NOTHING);
    check_number(stop_hear(), STOP_DRAIN);
    close(ours);
    check_number(stop_hear(), STOP_NOW);
    check_number(stop_hear(), STOP_NOW);
    check(!stop_seen());

    before = clock_now();
    polled.fd = stop_fd();
    stop_begin();
    check(stop_wait(before + 10000));
    check(clock_now() < before + 5000);
    check(stop_seen());
    check_number(stop_fd(), -1);
    /* Threads that were polling it already see it too, each of them. */
    check(poll(&polled, 1, 0) == 1 && poll(&polled, 1, 0) == 1);
    deadline = stop_deadline();
    check(deadline >= before + 5000 && deadline <= clock_now() + 5000);
    /* The grace begins once. */
    poll(NULL, 0, 20);
    stop_begin();
    check_number(stop_deadline(), deadline);
    close(theirs);
}

/* It has been seen: there is nothing left to wait for. */
static void waiting_after_it_was_seen_does_not_block(void)
{
    int64_t before = clock_now();

    check(stop_wait(before + 1500));
    check(clock_now() < before + 1000);
}

static const struct test_case cases[] = {
    TEST_CASE(a_stop_is_seen_once_and_for_all),
    TEST_CASE(waiting_after_it_was_seen_does_not_block),
};

int main(int argc, char **argv)
{
    return test_main(cases, TEST_COUNT(cases), argc, argv);
}

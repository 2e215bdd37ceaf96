#include "test.h"

#include "base/clock.h"
#include "base/stop.h"
#include "base/thread.h"

#include "place.h"

static int parent;

static void open_control(int64_t grace_ms)
{
    int control;

    pair_open(&parent, &control);
    check(stop_open(control, grace_ms));
    check_number(stop_control(), control);
}

static void close_control(void)
{
    int control = stop_control();

    close(parent);
    close(control);
}

static bool polls_readable(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};

    return poll(&p, 1, 0) > 0;
}

/* Runs first: nobody has opened anything. */
static void without_a_parent_there_is_nothing_to_stop(void)
{
    int64_t before = clock_now();

    check_number(stop_fd(), -1);
    check(!stop_seen());
    check_number(stop_deadline(), CLOCK_NEVER);
    check(!stop_wait(before + 30));
    check(clock_now() >= before + 30);
}

static void the_parent_is_heard(void)
{
    struct buf heard = {0};

    open_control(1000);
    check_number(stop_hear(), STOP_NOTHING);
    stop_ready();
    pair_receive(parent, 0, &heard);
    check_text(buf_text(&heard), "R");
    pair_send(parent, STR("D"));
    check_number(stop_hear(), STOP_DRAIN);
    check_number(stop_hear(), STOP_NOTHING);
    /* A word that this version does not know is no reason to end. */
    pair_send(parent, STR("?"));
    check_number(stop_hear(), STOP_NOTHING);
    check(!stop_seen());
    shutdown(parent, SHUT_RDWR);
    check_number(stop_hear(), STOP_NOW);
    check_number(stop_hear(), STOP_NOW);
    /* Hearing is not yet stopping. */
    check(!stop_seen());
    stop_ready(); /* nobody listens: no signal */
    buf_done(&heard);
    close_control();
}

static void a_stop_begins_once_and_for_all(void)
{
    int64_t before, deadline;
    int fd;

    open_control(5000);
    before = clock_now();
    fd = stop_fd();
    check(fd >= 0 && !polls_readable(fd) && !stop_seen());
    check(!stop_wait(before + 20));
    check(clock_now() >= before + 20);
    check(!stop_wait(before));
    stop_begin();
    check(stop_seen() && polls_readable(fd) && polls_readable(fd));
    check_number(stop_fd(), -1);
    deadline = stop_deadline();
    check(deadline >= before + 5000 && deadline <= clock_now() + 5000);
    /* The grace began with the first word, and a later one does not lengthen it. */
    poll(NULL, 0, 20);
    stop_begin();
    check_number(stop_deadline(), deadline);
    before = clock_now();
    check(stop_wait(before + 2000));
    check(clock_now() < before + 1000);
    close_control();
}

static struct lock lock;
static struct signal changed;
static int woken;

static void sleep_until_the_stop(void *argument)
{
    bool stopped = stop_wait(CLOCK_NEVER);

    (void)argument;
    lock_take(&lock);
    woken += stopped;
    signal_all(&changed);
    lock_release(&lock);
}

static void all_threads_wake(void)
{
    int64_t deadline = clock_now() + 5000;

    open_control(1000);
    lock_init(&lock);
    signal_init(&changed);
    for (int i = 0; i < 8; i++)
        check(thread_start(sleep_until_the_stop, NULL));
    poll(NULL, 0, 30);
    stop_begin();
    lock_take(&lock);
    while (woken < 8 && signal_wait(&changed, &lock, deadline))
        ;
    check_number(woken, 8);
    lock_release(&lock);
    close_control();
}

static const struct test_case cases[] = {
    TEST_CASE(without_a_parent_there_is_nothing_to_stop),
    TEST_CASE(the_parent_is_heard),
    TEST_CASE(a_stop_begins_once_and_for_all),
    TEST_CASE(all_threads_wake),
};

int main(int argc, char **argv)
{
    return test_main(cases, TEST_COUNT(cases), argc, argv);
}

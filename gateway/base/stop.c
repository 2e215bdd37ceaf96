#include "base/stop.h"

#include "base/clock.h"

#include <poll.h>
#include <stdatomic.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

static struct {
    int control;
    int event;
    int64_t grace;
    _Atomic int64_t deadline; /* CLOCK_NEVER until the stop begins */
} state = {.control = -1, .event = -1, .deadline = CLOCK_NEVER};

bool stop_open(int control, int64_t grace_ms)
{
    state.control = control;
    state.grace = grace_ms;
    state.event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    atomic_store(&state.deadline, CLOCK_NEVER);
    return state.event >= 0;
}

int stop_control(void)
{
    return state.control;
}

void stop_ready(void)
{
    (void)!send(state.control, "R", 1, MSG_NOSIGNAL);
}

enum stop_word stop_hear(void)
{
    char word;
    ssize_t n = recv(state.control, &word, 1, MSG_DONTWAIT);

    if (n == 0)
        return STOP_NOW;
    return n == 1 && word == 'D' ? STOP_DRAIN : STOP_NOTHING;
}

void stop_begin(void)
{
    const uint64_t one = 1;
    int64_t never = CLOCK_NEVER;

    if (atomic_compare_exchange_strong(&state.deadline, &never, clock_now() + state.grace))
        (void)!write(state.event, &one, sizeof one); /* nobody reads it: it stays readable */
}

bool stop_seen(void)
{
    return atomic_load(&state.deadline) != CLOCK_NEVER;
}

int stop_fd(void)
{
    return stop_seen() ? -1 : state.event;
}

int64_t stop_deadline(void)
{
    return atomic_load(&state.deadline);
}

bool stop_wait(int64_t deadline)
{
    struct pollfd p = {.fd = stop_fd(), .events = POLLIN};

    if (!stop_seen())
        poll(&p, 1, clock_poll_timeout(deadline));
    return stop_seen();
}

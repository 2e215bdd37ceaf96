#include "base/stop.h"

#include "base/clock.h"

#include <poll.h>
#include <stdatomic.h>

static struct {
    int fd;
    int64_t grace;
    _Atomic int64_t deadline; /* CLOCK_NEVER until the stop is seen */
} state = {.fd = -1, .deadline = CLOCK_NEVER};

void stop_open(int fd, int64_t grace_ms)
{
    state.fd = fd;
    state.grace = grace_ms;
}

bool stop_seen(void)
{
    return atomic_load(&state.deadline) != CLOCK_NEVER;
}

int stop_fd(void)
{
    return stop_seen() ? -1 : state.fd;
}

void stop_see(void)
{
    int64_t never = CLOCK_NEVER;

    atomic_compare_exchange_strong(&state.deadline, &never, clock_now() + state.grace);
}

int64_t stop_deadline(void)
{
    return atomic_load(&state.deadline);
}

bool stop_wait(int64_t deadline)
{
    struct pollfd p = {.fd = stop_fd(), .events = POLLIN};

    if (poll(&p, 1, clock_poll_timeout(deadline)) > 0)
        stop_see();
    return stop_seen();
}

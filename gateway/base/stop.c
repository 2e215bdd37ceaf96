#include "base/stop.h"

#include "base/clock.h"

#include <poll.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

static struct {
    int control;
    int event;
    int file; /* of STOP_FILE; -1: none */
    int64_t grace;
    _Atomic int64_t deadline; /* CLOCK_NEVER until the stop begins */
} state = {.control = -1, .event = -1, .file = -1, .deadline = CLOCK_NEVER};

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

static void keep_file(struct msghdr *message)
{
    const struct cmsghdr *c = CMSG_FIRSTHDR(message);

    if (c == NULL || c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS || c->cmsg_len != CMSG_LEN(sizeof(int)))
        return;
    if (state.file >= 0)
        close(state.file);
    memcpy(&state.file, CMSG_DATA(c), sizeof(int));
}

enum stop_word stop_hear(void)
{
    union {
        struct cmsghdr aligned;
        char bytes[CMSG_SPACE(sizeof(int))];
    } room;
    char word = '\0';
    struct iovec piece = {&word, 1};
    struct msghdr message = {.msg_iov = &piece, .msg_iovlen = 1, .msg_control = &room, .msg_controllen = sizeof room};
    ssize_t n = recvmsg(state.control, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

    if (n == 0)
        return STOP_NOW;
    if (n != 1)
        return STOP_NOTHING;
    keep_file(&message);
    if (word == 'F' && state.file >= 0)
        return STOP_FILE;
    return word == 'D' ? STOP_DRAIN : STOP_NOTHING;
}

int stop_take_file(void)
{
    int file = state.file;

    state.file = -1;
    return file;
}

bool stop_tell(int control, char word, int file)
{
    union {
        struct cmsghdr aligned;
        char bytes[CMSG_SPACE(sizeof(int))];
    } room = {0};
    struct iovec piece = {&word, 1};
    struct msghdr message = {.msg_iov = &piece, .msg_iovlen = 1};

    if (file >= 0) {
        struct cmsghdr *c = &room.aligned;

        message.msg_control = &room;
        message.msg_controllen = sizeof room;
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(c), &file, sizeof(int));
    }
    return sendmsg(control, &message, MSG_NOSIGNAL | MSG_DONTWAIT) == 1;
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

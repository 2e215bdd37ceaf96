#include "net/stream.h"

#include "base/clock.h"
#include "base/memory.h"
#include "base/stop.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

enum { INPUT_FIRST = 2048, INPUT_LARGE = 32768, OUTPUT_FULL = 32768, FINISH_MOST = 1 << 20 };

static bool fail(struct stream *s, enum stream_fault fault, int error)
{
    if (s->fault == STREAM_FINE) {
        s->fault = fault;
        s->error = error;
    }
    return false;
}

void stream_init(struct stream *s, int fd, const struct address *peer)
{
    struct sockaddr_storage local;
    socklen_t length = sizeof local;
    const int yes = 1;

    *s = (struct stream){.fd = fd, .peer = *peer, .deadline = CLOCK_NEVER};
    if (getsockname(fd, (struct sockaddr *)&local, &length) == 0)
        address_from_socket(&s->local, &local);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
}

void stream_done(struct stream *s)
{
    if (s->fd >= 0)
        close(s->fd);
    s->fd = -1;
    memory_free(&s->input);
    buf_done(&s->output);
    s->start = s->end = s->capacity = 0;
}

static bool wait_for(struct stream *s, short events)
{
    for (;;) {
        struct pollfd p[2] = {{.fd = s->fd, .events = events}, {.fd = stop_fd(), .events = POLLIN}};
        int64_t end;

        if (stop_seen() && s->heed_stop)
            return fail(s, STREAM_STOPPED, 0);
        end = stop_deadline();
        if (poll(p, 2, clock_poll_timeout(clock_earlier(s->deadline, end))) < 0 && errno != EINTR)
            return fail(s, STREAM_ERROR, errno);
        if (p[0].revents != 0)
            return true;
        if (clock_now() >= s->deadline)
            return fail(s, STREAM_TIMEOUT, 0);
        if (clock_now() >= end)
            return fail(s, STREAM_STOPPED, 0);
    }
}

static int connect_result(int fd)
{
    int error = 0;
    socklen_t length = sizeof error;

    return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) < 0 ? errno : error;
}

static int open_socket(const struct address *peer, const struct address *local)
{
    struct sockaddr_storage address;
    socklen_t length;
    const int yes = 1;
    int fd = socket(peer->family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0 || local == NULL || address_is_any(local))
        return fd;
    /* The port is chosen at connect: thousands of connections may leave from one address. */
    setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &yes, sizeof yes);
    length = address_to_socket(local, &address);
    if (bind(fd, (struct sockaddr *)&address, length) < 0) {
        int saved = errno;

        close(fd);
        errno = saved;
        return -1;
    }
    return fd;
}

bool stream_connect(struct stream *s, const struct address *peer, const struct address *local, int64_t deadline)
{
    struct sockaddr_storage address;
    socklen_t length = address_to_socket(peer, &address);
    int fd = open_socket(peer, local), error = 0;

    *s = (struct stream){.fd = fd, .peer = *peer, .deadline = deadline};
    if (fd < 0)
        return fail(s, STREAM_ERROR, errno);
    if (connect(fd, (struct sockaddr *)&address, length) < 0) {
        error = errno;
        if (error == EINPROGRESS && wait_for(s, POLLOUT))
            error = connect_result(fd);
    }
    if (error != 0)
        fail(s, STREAM_ERROR, error);
    if (s->fault != STREAM_FINE) {
        stream_done(s);
        return false;
    }
    stream_init(s, fd, peer);
    s->deadline = deadline;
    return true;
}

bool stream_flush(struct stream *s)
{
    size_t sent = 0;

    while (s->fault == STREAM_FINE && sent < s->output.length) {
        ssize_t n = send(s->fd, s->output.data + sent, s->output.length - sent, MSG_NOSIGNAL);

        if (n > 0)
            sent += (size_t)n;
        else if (n < 0 && (errno == EAGAIN || errno == EINTR))
            wait_for(s, POLLOUT);
        else
            fail(s, errno == EPIPE || errno == ECONNRESET ? STREAM_CLOSED : STREAM_ERROR, errno);
    }
    if (s->output.capacity > INPUT_FIRST)
        buf_done(&s->output);
    else
        buf_clear(&s->output);
    return s->fault == STREAM_FINE;
}

void stream_put(struct stream *s, struct str data)
{
    if (s->fault != STREAM_FINE)
        return;
    buf_add(&s->output, data);
    if (s->output.length >= OUTPUT_FULL)
        stream_flush(s);
}

struct str stream_input(const struct stream *s)
{
    return s->input != NULL ? (struct str){s->input + s->start, s->end - s->start} : STR("");
}

void stream_consume(struct stream *s, size_t length)
{
    s->start += length;
}

/* Room for more input: moves what is left to the front, and grows when a peer sends more than the buffer takes at once. */
static bool make_room(struct stream *s, size_t most)
{
    size_t left = s->end - s->start;
    bool was_full = s->end == s->capacity;

    if (left >= most)
        return false;
    if (left == 0 && s->capacity > most && s->capacity > INPUT_FIRST) {
        memory_free(&s->input); /* what a message needed, a command does not */
        s->capacity = 0;
        was_full = false;
    }
    if (left > 0 && s->start > 0)
        memmove(s->input, s->input + s->start, left);
    s->start = 0;
    s->end = left;
    if (s->capacity == 0)
        s->capacity = INPUT_FIRST;
    else if (left == s->capacity || (was_full && s->capacity < INPUT_LARGE))
        s->capacity *= 2;
    else
        return true;
    s->input = memory_resize(s->input, s->capacity);
    return true;
}

bool stream_fill(struct stream *s, size_t most)
{
    if (!stream_flush(s))
        return false;
    if (!make_room(s, most))
        return fail(s, STREAM_ERROR, ENOBUFS);
    while (s->fault == STREAM_FINE && wait_for(s, POLLIN)) {
        ssize_t n = recv(s->fd, s->input + s->end, s->capacity - s->end, 0);

        if (n > 0) {
            s->end += (size_t)n;
            return true;
        }
        if (n == 0)
            fail(s, STREAM_CLOSED, 0);
        else if (errno != EAGAIN && errno != EINTR)
            fail(s, errno == ECONNRESET ? STREAM_CLOSED : STREAM_ERROR, errno);
    }
    return false;
}

void stream_finish(struct stream *s, int64_t deadline)
{
    char scratch[4096];
    size_t swallowed = 0;

    s->deadline = deadline;
    stream_flush(s);
    s->fault = s->fault == STREAM_CLOSED ? STREAM_CLOSED : STREAM_FINE;
    shutdown(s->fd, SHUT_WR);
    while (s->fault == STREAM_FINE && swallowed < FINISH_MOST && wait_for(s, POLLIN)) {
        ssize_t n = recv(s->fd, scratch, sizeof scratch, 0);

        if (n > 0)
            swallowed += (size_t)n;
        else if (n == 0 || (errno != EAGAIN && errno != EINTR))
            fail(s, STREAM_CLOSED, 0);
    }
}

const char *stream_fault_text(const struct stream *s)
{
    switch (s->fault) {
    case STREAM_FINE:
        return "no fault";
    case STREAM_CLOSED:
        return "connection closed by peer";
    case STREAM_TIMEOUT:
        return "timed out";
    case STREAM_STOPPED:
        return "stopping";
    case STREAM_ERROR:
        break;
    }
    return strerrordesc_np(s->error);
}

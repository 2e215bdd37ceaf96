#include "net/stream.h"

#include "base/clock.h"
#include "base/memory.h"
#include "base/stop.h"
#include "net/tls.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

enum { INPUT_FIRST = 2048, INPUT_LARGE = 32768, OUTPUT_FULL = 32768, FINISH_MOST = 1 << 20, QUEUE_FULL_MS = 20 };

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
    tls_free(&s->tls);
    if (s->fd >= 0)
        close(s->fd);
    s->fd = -1;
    memory_free(&s->input);
    buf_done(&s->output);
    s->start = s->end = s->capacity = 0;
}

static bool in_time(struct stream *s)
{
    if (clock_now() >= s->deadline)
        return fail(s, STREAM_TIMEOUT, 0);
    if (clock_now() >= stop_deadline())
        return fail(s, STREAM_STOPPED, 0);
    return true;
}

static bool wait_for(struct stream *s, short events)
{
    do {
        struct pollfd p[2] = {{.fd = s->fd, .events = events}, {.fd = stop_fd(), .events = POLLIN}};

        if (stop_seen() && s->heed_stop)
            return fail(s, STREAM_STOPPED, 0);
        if (poll(p, 2, clock_poll_timeout(clock_earlier(s->deadline, stop_deadline()))) < 0 && errno != EINTR)
            return fail(s, STREAM_ERROR, errno);
        if (p[0].revents != 0)
            return true;
    } while (in_time(s));
    return false;
}

/* Without TLS the steps are the same ones. */
static enum tls_step step_of(ssize_t n, enum tls_step wanted)
{
    if (n > 0)
        return TLS_OK;
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return wanted;
    return n == 0 || errno == ECONNRESET || errno == EPIPE ? TLS_CLOSED : TLS_FAILED;
}

static enum tls_step receive(struct stream *s, char *to, size_t size, size_t *done)
{
    ssize_t n;

    if (s->tls != NULL)
        return tls_read(s->tls, to, size, done);
    n = recv(s->fd, to, size, 0);
    *done = n > 0 ? (size_t)n : 0;
    return step_of(n, TLS_WANT_READ);
}

static enum tls_step transmit(struct stream *s, struct str data, size_t *done)
{
    ssize_t n;

    if (s->tls != NULL)
        return tls_write(s->tls, data, done);
    n = send(s->fd, data.data, data.length, MSG_NOSIGNAL);
    *done = n > 0 ? (size_t)n : 0;
    return step_of(n, TLS_WANT_WRITE);
}

/* After a STEP that did not come to its end: true when it is to be tried again.  TLS may want to read in order to write, and records can
 * come that hold nothing: the deadline is looked at although the socket is never silent. */
static bool go_on(struct stream *s, enum tls_step step)
{
    switch (step) {
    case TLS_WANT_READ:
        return in_time(s) && wait_for(s, POLLIN);
    case TLS_WANT_WRITE:
        return in_time(s) && wait_for(s, POLLOUT);
    case TLS_CLOSED:
        return fail(s, STREAM_CLOSED, 0);
    default:
        return s->tls != NULL ? fail(s, STREAM_TLS, 0) : fail(s, STREAM_ERROR, errno);
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

/* A listener whose queue is full has nothing to poll for (connect(2), EAGAIN). */
static bool wait_for_queue(struct stream *s)
{
    int64_t now = clock_now();

    if (now >= s->deadline)
        return fail(s, STREAM_TIMEOUT, 0);
    if (stop_wait(clock_earlier(s->deadline, now + QUEUE_FULL_MS)))
        return fail(s, STREAM_STOPPED, 0);
    return true;
}

static bool connect_path(struct stream *s, const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    if (s->fd < 0)
        return fail(s, STREAM_ERROR, errno);
    if (!str_copy(str_of(path), address.sun_path, sizeof address.sun_path))
        return fail(s, STREAM_ERROR, ENAMETOOLONG);
    while (connect(s->fd, (struct sockaddr *)&address, sizeof address) < 0) {
        if (errno != EAGAIN)
            return fail(s, STREAM_ERROR, errno);
        if (!wait_for_queue(s))
            return false;
    }
    return true;
}

bool stream_connect_path(struct stream *s, const char *path, int64_t deadline)
{
    *s = (struct stream){.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), .deadline = deadline};
    if (connect_path(s, path))
        return true;
    stream_done(s);
    return false;
}

bool stream_flush(struct stream *s)
{
    size_t sent = 0, n;

    while (s->fault == STREAM_FINE && sent < s->output.length) {
        enum tls_step step = transmit(s, str_from(buf_str(&s->output), sent), &n);

        if (step == TLS_OK)
            sent += n;
        else
            go_on(s, step);
    }
    if (s->output.capacity > INPUT_FIRST)
        buf_done(&s->output);
    else
        buf_clear(&s->output);
    return s->fault == STREAM_FINE;
}

bool stream_start_tls(struct stream *s, struct tls **tls)
{
    enum tls_step step;

    if (!stream_flush(s) || stream_input(s).length > 0) {
        tls_free(tls);
        return fail(s, STREAM_TLS, EPROTO);
    }
    s->tls = *tls;
    *tls = NULL;
    while ((step = tls_handshake(s->tls)) != TLS_OK)
        if (!go_on(s, step))
            return false;
    return true;
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
    enum tls_step step;
    size_t n;

    if (!stream_flush(s))
        return false;
    if (!make_room(s, most))
        return fail(s, STREAM_ERROR, ENOBUFS);
    if ((s->tls == NULL || !tls_pending(s->tls)) && !wait_for(s, POLLIN))
        return false;
    while ((step = receive(s, s->input + s->end, s->capacity - s->end, &n)) != TLS_OK)
        if (!go_on(s, step))
            return false;
    s->end += n;
    return true;
}

enum stream_state stream_look(struct stream *s)
{
    enum tls_step step;
    size_t n;

    if (s->fault != STREAM_FINE)
        return STREAM_GONE;
    if (stream_input(s).length > 0)
        return STREAM_SAYS;
    make_room(s, INPUT_FIRST);
    step = receive(s, s->input + s->end, s->capacity - s->end, &n);
    if (step == TLS_OK)
        s->end += n;
    return step == TLS_OK ? STREAM_SAYS : step == TLS_WANT_READ || step == TLS_WANT_WRITE ? STREAM_QUIET : STREAM_GONE;
}

/* A peer that is told in TLS that this was all knows that nobody cut the rest off. */
static void say_goodbye(struct stream *s)
{
    enum tls_step step = TLS_WANT_WRITE;

    while (s->tls != NULL && s->fault == STREAM_FINE && step == TLS_WANT_WRITE) {
        step = tls_close(s->tls);
        if (step == TLS_WANT_WRITE)
            wait_for(s, POLLOUT);
    }
}

void stream_finish(struct stream *s, int64_t deadline)
{
    char scratch[4096];
    size_t swallowed = 0;

    s->deadline = deadline;
    stream_flush(s);
    s->fault = s->fault == STREAM_CLOSED ? STREAM_CLOSED : STREAM_FINE;
    say_goodbye(s);
    shutdown(s->fd, SHUT_WR);
    while (s->fault == STREAM_FINE && swallowed < FINISH_MOST && wait_for(s, POLLIN)) {
        ssize_t n = recv(s->fd, scratch, sizeof scratch, 0);

        if (n > 0)
            swallowed += (size_t)n;
        else if (n == 0 || (errno != EAGAIN && errno != EINTR))
            fail(s, STREAM_CLOSED, 0);
    }
}

static const char *tls_fault_text(const struct stream *s)
{
    if (s->error == EPROTO)
        return "plain text came where TLS should begin";
    return s->tls != NULL && tls_problem(s->tls)[0] != '\0' ? tls_problem(s->tls) : "TLS failed";
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
    case STREAM_TLS:
        return tls_fault_text(s);
    case STREAM_ERROR:
        break;
    }
    return strerrordesc_np(s->error);
}

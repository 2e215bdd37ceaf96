/*
 * wire - a connection whose other end has said all that it will ever say.
 */
#ifndef WIRE_H
#define WIRE_H

#include "base/clock.h"
#include "net/stream.h"

#include "fuzz.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { WIRE_MOST = 32 << 10 }; /* fits a socket's buffer, so that nobody has to read meanwhile */

/* The end to read from (a stream's).  OTHER is ours. */
static inline int wire_pair(int *other)
{
    const int large = 1 << 20;
    int fds[2];

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) != 0)
        abort();
    setsockopt(fds[0], SOL_SOCKET, SO_SNDBUF, &large, sizeof large);
    setsockopt(fds[1], SOL_SOCKET, SO_SNDBUF, &large, sizeof large);
    *other = fds[0];
    return fds[1];
}

/* The same, with INPUT on its way and the end behind it. */
static inline int wire_open(struct str input, int *other)
{
    int fd = wire_pair(other);

    input = str_part(input, 0, WIRE_MOST);
    if (send(*other, input.data, input.length, MSG_NOSIGNAL) != (ssize_t)input.length && input.length > 0)
        abort();
    shutdown(*other, SHUT_WR);
    return fd;
}

/* What was said on the other end. */
static inline void wire_read(int other, struct buf *to)
{
    ssize_t n;

    do {
        char *room = buf_room(to, 65536);

        n = recv(other, room, 65536, 0);
        if (n > 0)
            buf_grew(to, (size_t)n);
    } while (n > 0);
}

static inline void wire_stream(struct stream *s, struct str input, int *other)
{
    const struct address nobody = {0};

    stream_init(s, wire_open(input, other), &nobody);
    s->deadline = clock_now() + 10000;
}

#endif

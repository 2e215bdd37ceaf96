/*
 * script - a server that says its next reply when it is waited for.
 *
 * What comes unasked ends a connection (transfer/dialogue.c), so a server that has said everything at once would not be heard.  A `&` in
 * front of a reply sends it along with the one before it.  For targets that are linked with -Wl,--wrap=poll.
 */
#ifndef SCRIPT_H
#define SCRIPT_H

#include "wire.h"

static struct {
    struct str left;
    int fd; /* the server's end */
} script;

int __real_poll(struct pollfd *fds, nfds_t count, int timeout);
int __wrap_poll(struct pollfd *fds, nfds_t count, int timeout);

static inline void script_send(struct str text)
{
    if (send(script.fd, text.data, text.length, MSG_NOSIGNAL) != (ssize_t)text.length)
        abort();
}

/* The lines of a reply, however it ends; behind the last of them, the end. */
static inline void script_say(void)
{
    struct str line;
    bool more = script.left.length > 0;

    if (!more)
        shutdown(script.fd, SHUT_WR);
    while (more) {
        line = str_part(script.left, 0, str_find(script.left, '\n', 0) + 1);
        script_send(line);
        script.left = str_from(script.left, line.length);
        more = script.left.length > 0 && ((line.length > 3 && line.data[3] == '-') || script.left.data[0] == '&');
        if (more && script.left.data[0] == '&')
            script.left = str_from(script.left, 1);
    }
}

int __wrap_poll(struct pollfd *fds, nfds_t count, int timeout)
{
    if (timeout != 0 && (fds[0].events & POLLIN) != 0 && __real_poll(fds, count, 0) == 0)
        script_say();
    return __real_poll(fds, count, timeout);
}

/* SERVER is borrowed while the stream is used. */
static inline void script_stream(struct stream *s, struct str server)
{
    const struct address nobody = {0};

    stream_init(s, wire_pair(&script.fd), &nobody);
    script.left = str_part(server, 0, WIRE_MOST);
    s->deadline = clock_now() + 10000;
}

/* What the server was told. */
static inline void script_done(struct buf *said)
{
    wire_read(script.fd, said);
    close(script.fd);
}

#endif

/*
 * place - a folder of its own for a test, a socket pair whose other end the test holds, and addresses.
 */
#ifndef PLACE_H
#define PLACE_H

#include "base/clock.h"
#include "net/listener.h"
#include "net/stream.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

struct place {
    char folder[64];
};

static inline void place_open(struct place *p)
{
    snprintf(p->folder, sizeof p->folder, "/tmp/tmail-test-XXXXXX");
    if (mkdtemp(p->folder) == NULL) {
        perror(p->folder);
        exit(1);
    }
}

static inline int place_remove(const char *path, const struct stat *facts, int type, struct FTW *walk)
{
    (void)facts;
    (void)type;
    (void)walk;
    return remove(path);
}

static inline void place_close(struct place *p)
{
    nftw(p->folder, place_remove, 16, FTW_DEPTH | FTW_PHYS);
}

/* PATH of NAME in P; valid until the next call. */
static inline const char *place_path(const struct place *p, const char *name)
{
    static char path[256];

    snprintf(path, sizeof path, "%s/%s", p->folder, name);
    return path;
}

/* A connected pair: OURS blocks, THEIRS is non-blocking, as a stream wants it. */
static inline void pair_open(int *ours, int *theirs)
{
    int fds[2];

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) != 0 || fcntl(fds[1], F_SETFL, O_NONBLOCK) != 0) {
        perror("socketpair");
        exit(1);
    }
    *ours = fds[0];
    *theirs = fds[1];
}

/* A stream with three seconds to live, and the other end. */
static inline void pair_stream(struct stream *s, int *peer)
{
    const struct address nobody = {0};
    int theirs;

    pair_open(peer, &theirs);
    stream_init(s, theirs, &nobody);
    s->deadline = clock_now() + 3000;
}

/* PEER may be closed already, and -1. */
static inline void pair_close(struct stream *s, int *peer)
{
    stream_done(s);
    if (*peer >= 0)
        close(*peer);
    *peer = -1;
}

static inline void pair_send(int fd, struct str bytes)
{
    while (bytes.length > 0) {
        ssize_t n = send(fd, bytes.data, bytes.length, MSG_NOSIGNAL);

        if (n <= 0)
            return;
        bytes = str_from(bytes, (size_t)n);
    }
}

/* Everything that the peer sent and will send until it closes or is silent for WAIT_MS. */
static inline void pair_receive(int fd, int wait_ms, struct buf *to)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    char piece[4096];
    ssize_t n;

    while (poll(&p, 1, wait_ms) > 0 && (n = recv(fd, piece, sizeof piece, 0)) > 0)
        buf_add(to, (struct str){piece, (size_t)n});
}

/* "192.0.2.1:25", "[2001:db8::1]:25". */
static inline struct address address_at(const char *text)
{
    struct str host = str_of(text);
    size_t colon = host.length;
    struct address a;

    while (colon > 0 && text[colon - 1] != ':')
        colon--;
    host = str_part(host, 0, colon - 1);
    if (str_starts(host, STR("[")))
        host = str_part(host, 1, host.length - 2);
    if (!address_parse(&a, host)) {
        fprintf(stderr, "%s: no address\n", text);
        exit(1);
    }
    a.port = (uint16_t)strtoul(text + colon, NULL, 10);
    return a;
}

/* Listens on loopback at a free port. */
static inline int listen_at_free_port(struct address *a)
{
    struct sockaddr_storage s;
    socklen_t length = sizeof s;
    int fd;

    *a = address_at("127.0.0.1:0");
    fd = listener_bind(a);
    if (fd < 0 || getsockname(fd, (struct sockaddr *)&s, &length) < 0) {
        perror("listener");
        exit(1);
    }
    address_from_socket(a, &s);
    return fd;
}

#endif

/*
 * nameserver - a resolver for tests: answers over UDP and TCP on a port of its own, from a table of records.
 *
 * Names are in lower case without a final dot, data is that of the wire.  Some names make it misbehave; see enum nameserver_fault.  All
 * that is not in the table is NXDOMAIN.
 */
#ifndef NAMESERVER_H
#define NAMESERVER_H

#include "base/clock.h"
#include "base/str.h"
#include "net/dns.h"

#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum nameserver_fault {
    NAMESERVER_NONE,
    NAMESERVER_SERVFAIL,
    NAMESERVER_REFUSED,
    NAMESERVER_MUTE,    /* no answer */
    NAMESERVER_SLOW,    /* after SLOW_MS */
    NAMESERVER_GARBAGE, /* the header, then bytes that mean nothing */
    NAMESERVER_CUT,     /* a record that is longer than the message */
    NAMESERVER_LOOP,    /* an alias of itself */
    NAMESERVER_MANY,    /* 400 addresses */
};

enum { NAMESERVER_SLOW_MS = 250, NAMESERVER_RECORDS = 200, NAMESERVER_WAITING = 16, NAMESERVER_CONNECTIONS = 16 };

struct nameserver_record {
    const char *name;
    int type;                    /* 0: every one, of a fault */
    enum nameserver_fault fault; /* then there is no data */
    struct str data;
};

/* A message that is made or under way. */
struct nameserver_message {
    unsigned char bytes[65536];
    size_t length;
};

/* An answer that goes out later. */
struct nameserver_waiting {
    int64_t due; /* 0: free */
    struct sockaddr_in peer;
    unsigned char bytes[512];
    size_t length;
};

struct nameserver {
    struct nameserver_record records[NAMESERVER_RECORDS];
    size_t count;
    int udp, tcp, connections[NAMESERVER_CONNECTIONS];
    char forward[32]; /* where it is, as TMAIL_DNS_FORWARD has it */
    pthread_t thread;
    struct nameserver_waiting waiting[NAMESERVER_WAITING];
    struct nameserver_message reply;
    atomic_bool silent, ends;
    atomic_int asked; /* questions that came */
};

static inline void nameserver_must(bool holds, const char *what)
{
    if (holds)
        return;
    perror(what);
    exit(1);
}

/* Before nameserver_start. */
static inline void nameserver_add(struct nameserver *n, const char *name, int type, struct str data)
{
    nameserver_must(n->count < NAMESERVER_RECORDS, "too many records");
    n->records[n->count++] = (struct nameserver_record){.name = name, .type = type, .data = data};
}

static inline void nameserver_add_fault(struct nameserver *n, const char *name, int type, enum nameserver_fault fault)
{
    nameserver_add(n, name, type, STR(""));
    n->records[n->count - 1].fault = fault;
}

static inline void nameserver_put(struct nameserver_message *m, const void *data, size_t length)
{
    if (m->length + length <= sizeof m->bytes) {
        memcpy(m->bytes + m->length, data, length);
        m->length += length;
    }
}

static inline void nameserver_put16(struct nameserver_message *m, unsigned number)
{
    const unsigned char bytes[2] = {(unsigned char)(number >> 8), (unsigned char)number};

    nameserver_put(m, bytes, sizeof bytes);
}

static inline void nameserver_put_name(struct nameserver_message *m, const char *name)
{
    struct str rest = str_of(name), label;

    while (name[0] != '\0' && str_cut(&rest, '.', &label)) {
        const unsigned char length = (unsigned char)label.length;

        nameserver_put(m, &length, 1);
        nameserver_put(m, label.data, label.length);
    }
    nameserver_put(m, "", 1);
}

/* Section counts stand behind flags: answers at 6, authority at 8. */
static inline void nameserver_count(struct nameserver_message *m, size_t place)
{
    if (++m->bytes[place + 1] == 0)
        m->bytes[place]++;
}

static inline void nameserver_put_record(struct nameserver_message *m, const char *name, int type, struct str data, size_t length)
{
    nameserver_put_name(m, name);
    nameserver_put16(m, (unsigned)type);
    nameserver_put16(m, 1);
    nameserver_put(m, "\0\0\0\74", 4);
    nameserver_put16(m, (unsigned)length);
    nameserver_put(m, data.data, data.length);
}

static inline void nameserver_put_soa(struct nameserver_message *m)
{
    const struct str soa = STR("\0\0\0\0\0\1\0\0\0\1\0\0\0\1\0\0\0\1\0\0\0\1");

    nameserver_put_record(m, "", 6, soa, soa.length);
    nameserver_count(m, 8);
}

/* The question's name in lower case in NAME; its type, or -1.  *END is behind the question. */
static inline int nameserver_question(const unsigned char *bytes, size_t length, char name[DNS_NAME_SIZE], size_t *end)
{
    size_t at = 12, to = 0;

    while (at < length && bytes[at] != 0 && at + bytes[at] < length && to + bytes[at] + 1 < DNS_NAME_SIZE) {
        if (to > 0)
            name[to++] = '.';
        for (size_t i = 1; i <= bytes[at]; i++)
            name[to++] = ascii_lower((char)bytes[at + i]);
        at += 1 + (size_t)bytes[at];
    }
    name[to] = '\0';
    *end = at + 5;
    return at + 5 <= length ? bytes[at + 1] << 8 | bytes[at + 2] : -1;
}

static inline const struct nameserver_record *nameserver_find(const struct nameserver *n, const char *name, int type)
{
    for (size_t i = 0; i < n->count; i++)
        if (strcmp(n->records[i].name, name) == 0 && (type < 0 || n->records[i].type == type))
            return &n->records[i];
    return NULL;
}

static inline enum nameserver_fault nameserver_find_fault(const struct nameserver *n, const char *name, int type)
{
    for (size_t i = 0; i < n->count; i++) {
        const struct nameserver_record *r = &n->records[i];

        if (r->fault != NAMESERVER_NONE && (r->type == 0 || r->type == type) && strcmp(r->name, name) == 0)
            return r->fault;
    }
    return NAMESERVER_NONE;
}

/* The host of "nNUMBER.many.test" has the number as its address: whoever gets the answer to another question sees it. */
static inline bool nameserver_put_numbered(struct nameserver_message *m, const char *name, int type)
{
    unsigned number;
    char rest[16];

    if (sscanf(name, "n%u.%15s", &number, rest) != 2 || strcmp(rest, "many.test") != 0 || type != DNS_A)
        return false;
    number = htonl(number);
    nameserver_put_record(m, name, DNS_A, (struct str){(const char *)&number, 4}, 4);
    nameserver_count(m, 6);
    return true;
}

static inline void nameserver_put_fault(struct nameserver_message *m, const char *name, enum nameserver_fault fault, int type)
{
    const struct str address = STR("\300\0\2\1");

    switch (fault) {
    case NAMESERVER_SERVFAIL:
        m->bytes[3] |= 2;
        break;
    case NAMESERVER_REFUSED:
        m->bytes[3] |= 5;
        break;
    case NAMESERVER_GARBAGE:
        for (int i = 0; i < 40; i++)
            nameserver_put(m, "\277\1\2\3", 4);
        m->bytes[7] = 9;
        break;
    case NAMESERVER_CUT:
        nameserver_put_record(m, name, type, address, 4000);
        nameserver_count(m, 6);
        break;
    case NAMESERVER_MANY:
        for (uint32_t i = 0; i < 400; i++) {
            const uint32_t number = htonl(0x0a000000 + i);

            nameserver_put_record(m, name, DNS_A, (struct str){(const char *)&number, 4}, 4);
            nameserver_count(m, 6);
        }
        break;
    default:
        nameserver_put_record(m, name, DNS_A, address, 4);
        nameserver_count(m, 6);
    }
}

static inline void nameserver_put_alias(struct nameserver_message *m, char name[DNS_NAME_SIZE], const struct nameserver_record *alias)
{
    size_t at = 0, to = 0;

    nameserver_put_record(m, name, DNS_CNAME, alias->data, alias->data.length);
    nameserver_count(m, 6);
    while (at < alias->data.length && alias->data.data[at] != 0) {
        const size_t label = (size_t)alias->data.data[at];

        if (to > 0)
            name[to++] = '.';
        memcpy(name + to, alias->data.data + at + 1, label);
        to += label;
        at += 1 + label;
    }
    name[to] = '\0';
}

static inline void nameserver_put_answers(struct nameserver *n, char name[DNS_NAME_SIZE], int type)
{
    struct nameserver_message *m = &n->reply;
    const struct nameserver_record *alias;

    for (int i = 0; i < 8 && (alias = nameserver_find(n, name, DNS_CNAME)) != NULL && type != DNS_CNAME; i++)
        nameserver_put_alias(m, name, alias);
    for (size_t i = 0; i < n->count; i++)
        if (strcmp(n->records[i].name, name) == 0 && n->records[i].type == type) {
            nameserver_put_record(m, name, type, n->records[i].data, n->records[i].data.length);
            nameserver_count(m, 6);
        }
    if (nameserver_find(n, name, -1) == NULL && !nameserver_put_numbered(m, name, type))
        m->bytes[3] |= 3;
    if (nameserver_find(n, name, type) == NULL)
        nameserver_put_soa(m);
}

/* Makes the reply; the fault of the name that was asked for. */
static inline enum nameserver_fault nameserver_answer(struct nameserver *n, const unsigned char *bytes, size_t length)
{
    char name[DNS_NAME_SIZE];
    enum nameserver_fault fault;
    size_t end;
    int type = length > 12 ? nameserver_question(bytes, length, name, &end) : -1;

    atomic_fetch_add(&n->asked, 1);
    if (type < 0 || atomic_load(&n->silent))
        return NAMESERVER_MUTE;
    n->reply.length = 0;
    nameserver_put(&n->reply, bytes, end);
    memcpy(n->reply.bytes + 2, "\201\200\0\1\0\0\0\0\0\0", 10);
    fault = nameserver_find_fault(n, name, type);
    if (fault == NAMESERVER_NONE)
        nameserver_put_answers(n, name, type);
    else
        nameserver_put_fault(&n->reply, name, fault, type);
    return fault;
}

static inline void nameserver_send_later(struct nameserver *n, const struct sockaddr_in *peer)
{
    for (int i = 0; i < NAMESERVER_WAITING; i++) {
        struct nameserver_waiting *w = &n->waiting[i];

        if (w->due != 0)
            continue;
        w->due = clock_now() + NAMESERVER_SLOW_MS;
        w->peer = *peer;
        w->length = n->reply.length;
        memcpy(w->bytes, n->reply.bytes, n->reply.length);
        return;
    }
}

static inline void nameserver_send_due(struct nameserver *n)
{
    for (int i = 0; i < NAMESERVER_WAITING; i++) {
        struct nameserver_waiting *w = &n->waiting[i];

        if (w->due == 0 || clock_now() < w->due)
            continue;
        sendto(n->udp, w->bytes, w->length, 0, (const struct sockaddr *)&w->peer, sizeof w->peer);
        w->due = 0;
    }
}

static inline void nameserver_hear_udp(struct nameserver *n)
{
    unsigned char bytes[4096];
    struct sockaddr_in peer;
    socklen_t peer_length = sizeof peer;
    ssize_t length = recvfrom(n->udp, bytes, sizeof bytes, 0, (struct sockaddr *)&peer, &peer_length);
    enum nameserver_fault fault = length > 0 ? nameserver_answer(n, bytes, (size_t)length) : NAMESERVER_MUTE;

    if (fault == NAMESERVER_MUTE)
        return;
    if (n->reply.length > 1232) { /* the rest by TCP */
        n->reply.length = 12;
        memcpy(n->reply.bytes + 2, "\203\200\0\0\0\0\0\0\0\0", 10);
    }
    if (fault == NAMESERVER_SLOW)
        nameserver_send_later(n, &peer);
    else
        sendto(n->udp, n->reply.bytes, n->reply.length, 0, (const struct sockaddr *)&peer, peer_length);
}

static inline void nameserver_accept(struct nameserver *n)
{
    int fd = accept(n->tcp, NULL, NULL);

    for (int i = 0; i < NAMESERVER_CONNECTIONS && fd >= 0; i++)
        if (n->connections[i] < 0) {
            n->connections[i] = fd;
            fd = -1;
        }
    if (fd >= 0)
        close(fd);
}

static inline bool nameserver_answer_tcp(struct nameserver *n, int fd, const unsigned char *bytes, size_t length)
{
    unsigned char head[2];

    if (nameserver_answer(n, bytes, length) == NAMESERVER_MUTE)
        return true;
    head[0] = (unsigned char)(n->reply.length >> 8);
    head[1] = (unsigned char)n->reply.length;
    return send(fd, head, 2, MSG_NOSIGNAL) == 2 && send(fd, n->reply.bytes, n->reply.length, MSG_NOSIGNAL) == (ssize_t)n->reply.length;
}

/* Questions are small: they come as a whole, but there may be several (RFC 7766 section 6.2.1.1). */
static inline bool nameserver_hear_tcp(struct nameserver *n, int fd)
{
    unsigned char bytes[4096];
    ssize_t got = recv(fd, bytes, sizeof bytes, 0);
    size_t length;

    if (got < 3)
        return false;
    for (size_t at = 0; at + 2 < (size_t)got; at += 2 + length) {
        length = (size_t)bytes[at] << 8 | bytes[at + 1];
        if (length > (size_t)got - at - 2 || !nameserver_answer_tcp(n, fd, bytes + at + 2, length))
            return false;
    }
    return true;
}

static inline void *nameserver_run(void *argument)
{
    struct nameserver *n = argument;

    while (!atomic_load(&n->ends)) {
        struct pollfd p[2 + NAMESERVER_CONNECTIONS] = {{.fd = n->udp, .events = POLLIN}, {.fd = n->tcp, .events = POLLIN}};

        for (int i = 0; i < NAMESERVER_CONNECTIONS; i++)
            p[2 + i] = (struct pollfd){.fd = n->connections[i], .events = POLLIN};
        poll(p, 2 + NAMESERVER_CONNECTIONS, 10);
        nameserver_send_due(n);
        if (p[0].revents != 0)
            nameserver_hear_udp(n);
        if (p[1].revents != 0)
            nameserver_accept(n);
        for (int i = 0; i < NAMESERVER_CONNECTIONS; i++)
            if (p[2 + i].revents != 0 && !nameserver_hear_tcp(n, n->connections[i])) {
                close(n->connections[i]);
                n->connections[i] = -1;
            }
    }
    return NULL;
}

static inline void nameserver_start(struct nameserver *n)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;

    /* The TCP port picked for us is mostly free for UDP, too. */
    for (int i = 0; i < 20; i++) {
        address.sin_port = 0;
        n->tcp = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        n->udp = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        nameserver_must(bind(n->tcp, (struct sockaddr *)&address, sizeof address) == 0 && listen(n->tcp, 16) == 0, "bind");
        nameserver_must(getsockname(n->tcp, (struct sockaddr *)&address, &length) == 0, "getsockname");
        if (bind(n->udp, (struct sockaddr *)&address, sizeof address) == 0)
            break;
        close(n->tcp);
        close(n->udp);
        n->udp = -1;
    }
    nameserver_must(n->udp >= 0, "bind");
    for (int i = 0; i < NAMESERVER_CONNECTIONS; i++)
        n->connections[i] = -1;
    snprintf(n->forward, sizeof n->forward, "127.0.0.1@%d", ntohs(address.sin_port));
    nameserver_must(pthread_create(&n->thread, NULL, nameserver_run, n) == 0, "pthread_create");
}

static inline void nameserver_stop(struct nameserver *n)
{
    atomic_store(&n->ends, true);
    pthread_join(n->thread, NULL);
    for (int i = 0; i < NAMESERVER_CONNECTIONS; i++)
        if (n->connections[i] >= 0)
            close(n->connections[i]);
    close(n->udp);
    close(n->tcp);
}

#endif

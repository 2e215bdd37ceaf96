#include "base/errand.h"

#include "base/clock.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

enum { DESCRIPTORS = 3, NAMES = 3 };

/* What a packet starts with, by kind. */
static const char letters[] = {'L', 'P'};

union room {
    struct cmsghdr aligned;
    char bytes[CMSG_SPACE(DESCRIPTORS * sizeof(int))];
};

static void add_word(struct buf *to, struct str word, bool *ok)
{
    *ok = *ok && !str_has(word, '\0');
    buf_add(to, word);
    buf_add_byte(to, '\0');
}

/* A letter, then the words, each ended by a NUL. */
bool errand_write(const struct errand *e, struct buf *to)
{
    bool ok = e->count <= ERRAND_WORDS && (e->kind == ERRAND_PIPE) == (e->count > 0);

    to->limit = ERRAND_SIZE;
    buf_add_byte(to, letters[e->kind]);
    add_word(to, e->sender, &ok);
    add_word(to, e->recipient, &ok);
    add_word(to, e->original, &ok);
    for (size_t i = 0; ok && i < e->count; i++)
        add_word(to, e->words[i], &ok);
    return ok && !to->full;
}

static bool take_word(struct str *rest, struct str *word)
{
    *word = str_part(*rest, 0, str_find(*rest, '\0', 0));
    if (word->length == rest->length)
        return false;
    *rest = str_from(*rest, word->length + 1);
    return true;
}

bool errand_parse(struct str packet, struct errand *e)
{
    const char *letter = packet.length > 0 ? memchr(letters, packet.data[0], sizeof letters) : NULL;
    struct str rest = str_from(packet, 1);

    *e = (struct errand){.message = -1, .errors = -1, .result = -1};
    if (letter == NULL || packet.length > ERRAND_SIZE)
        return false;
    e->kind = (enum errand_kind)(letter - letters);
    if (!take_word(&rest, &e->sender) || !take_word(&rest, &e->recipient) || !take_word(&rest, &e->original))
        return false;
    while (rest.length > 0)
        if (e->count == ERRAND_WORDS || !take_word(&rest, &e->words[e->count++]))
            return false;
    return e->kind == ERRAND_LDA ? e->count == 0 && e->recipient.length > 0 : e->count > 0 && e->words[0].length > 0;
}

static void attach(struct msghdr *m, union room *room, const struct errand *e)
{
    const int descriptors[DESCRIPTORS] = {e->message, e->errors, e->result};
    struct cmsghdr *c = &room->aligned;

    m->msg_control = room;
    m->msg_controllen = sizeof *room;
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof descriptors);
    memcpy(CMSG_DATA(c), descriptors, sizeof descriptors);
}

static bool send_packet(int socket, struct buf *packet, const struct errand *e, int64_t deadline)
{
    union room room = {0};
    struct iovec piece = {packet->data, packet->length};
    struct msghdr m = {.msg_iov = &piece, .msg_iovlen = 1};
    struct pollfd p = {.fd = socket, .events = POLLOUT};

    attach(&m, &room, e);
    while (sendmsg(socket, &m, MSG_NOSIGNAL | MSG_DONTWAIT) < 0) {
        if (errno != EAGAIN && errno != EINTR)
            return false;
        if (clock_now() >= deadline) {
            errno = ETIMEDOUT;
            return false;
        }
        poll(&p, 1, clock_poll_timeout(deadline));
    }
    return true;
}

bool errand_send(int socket, const struct errand *e, int64_t deadline)
{
    struct buf packet = {0};
    bool ok = errand_write(e, &packet);
    int reason = E2BIG;

    if (ok) {
        ok = send_packet(socket, &packet, e, deadline);
        reason = errno;
    }
    buf_done(&packet);
    errno = reason;
    return ok;
}

/* Who sent it may have made it a socket whose end waits for its data to go. */
static void close_at(int *fd)
{
    const struct linger at_once = {0};

    if (*fd >= 0) {
        setsockopt(*fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
        close(*fd);
    }
    *fd = -1;
}

void errand_close(struct errand *e)
{
    close_at(&e->message);
    close_at(&e->errors);
    close_at(&e->result);
}

/* There is room for three and not, as CMSG_SPACE would have it, for four: the system closes those that are too many. */
static void take_descriptors(struct msghdr *m, struct errand *e)
{
    const struct cmsghdr *c = CMSG_FIRSTHDR(m);
    int *places[DESCRIPTORS] = {&e->message, &e->errors, &e->result};
    size_t count;

    if (c == NULL || c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
        return;
    count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (size_t i = 0; i < count && i < DESCRIPTORS; i++)
        memcpy(places[i], CMSG_DATA(c) + i * sizeof(int), sizeof(int));
}

static bool is_result_end(int fd)
{
    int domain = 0, type = 0;
    socklen_t size = sizeof(int);

    return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) == 0 && getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0 &&
           domain == AF_UNIX && type == SOCK_SEQPACKET;
}

enum errand_news errand_receive(int socket, char *packet, struct errand *e)
{
    union room room = {0};
    struct iovec piece = {packet, ERRAND_SIZE};
    struct msghdr m = {.msg_iov = &piece, .msg_iovlen = 1, .msg_control = &room, .msg_controllen = CMSG_LEN(DESCRIPTORS * sizeof(int))};
    ssize_t n = recvmsg(socket, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    struct errand descriptors = {.message = -1, .errors = -1, .result = -1};
    bool ok;

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return ERRAND_NOTHING;
    if (n <= 0) {
        take_descriptors(&m, &descriptors);
        errand_close(&descriptors);
        return ERRAND_OVER; /* an empty packet is none of ours either */
    }
    ok = errand_parse((struct str){packet, (size_t)n}, e) && (m.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) == 0;
    take_descriptors(&m, e);
    if (ok && e->message >= 0 && e->errors >= 0 && is_result_end(e->result))
        return ERRAND_CAME;
    errand_answer(e->result, ERRAND_REFUSED, 0);
    errand_close(e);
    return ERRAND_MALFORMED;
}

void errand_answer(int result_end, enum errand_end end, int detail)
{
    const struct errand_result result = {(int32_t)end, detail};

    (void)send(result_end, &result, sizeof result, MSG_NOSIGNAL | MSG_DONTWAIT); /* what is no socket refuses this */
}

bool errand_hear(int result_end, struct errand_result *result)
{
    ssize_t n = recv(result_end, result, sizeof *result, MSG_DONTWAIT);

    return n == (ssize_t)sizeof *result && result->end >= 0 && result->end < ERRAND_ENDS;
}

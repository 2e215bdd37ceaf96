/*
 * mailload - a load of messages for mailboxes, by SMTP or by LMTP, over sessions that are kept open.
 *
 *     mailload [-L] [-n MESSAGES] [-c SESSIONS] [-u MAILBOXES] [-l OCTETS] DOMAIN PORT|PATH
 *
 * Message after message goes to the mailboxes u0, u1 … of DOMAIN in turn, at 127.0.0.1 or at a Unix socket.  MAIL, RCPT and DATA go out
 * in one piece, the message when DATA has its reply.  -L says LHLO; a mailbox is then what answers at the end.
 *
 * Prints one line of key=value; cpu is what this program used meanwhile, in seconds.  The first thing that goes wrong is said on standard
 * error and ends everything with status 1.
 */
#include "base/buf.h"
#include "base/clock.h"
#include "base/memory.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

enum { PATIENCE = 120, REPLY_SIZE = 4096, SESSIONS_MAX = 1000, USAGE = 64 };

struct load {
    struct sockaddr_storage server;
    socklen_t server_size;
    const char *domain, *hello;
    struct buf message;
    long count, mailboxes;
    atomic_long begun;
    atomic_int first; /* failures are said once */
};

struct session {
    struct load *load;
    pthread_t thread;
    int fd;
    size_t length; /* of what was read and is not used yet */
    char text[REPLY_SIZE];
};

__attribute__((noreturn)) static void fail(struct session *s, const char *step, const char *why)
{
    if (atomic_exchange(&s->load->first, 1) == 0)
        fprintf(stderr, "mailload: %s: %s\n", step, why);
    _exit(1);
}

static void say(struct session *s, const char *step, struct str text)
{
    while (text.length > 0) {
        ssize_t n = send(s->fd, text.data, text.length, MSG_NOSIGNAL);

        if (n <= 0)
            fail(s, step, "the connection is lost");
        text = str_from(text, (size_t)n);
    }
}

/* Takes the next line out of what was read, with its end; NULL: there is none yet. */
static const char *next_line(struct session *s, char line[REPLY_SIZE])
{
    const char *end = memchr(s->text, '\n', s->length);
    size_t length;

    if (end == NULL)
        return NULL;
    length = (size_t)(end - s->text) + 1;
    memcpy(line, s->text, length);
    line[length - 1] = '\0';
    s->length -= length;
    memmove(s->text, s->text + length, s->length);
    return line;
}

/* Reads a reply, which must begin with CODE. */
static void hear(struct session *s, const char *step, const char *code)
{
    char line[REPLY_SIZE];

    do {
        while (next_line(s, line) == NULL) {
            ssize_t n = recv(s->fd, s->text + s->length, sizeof s->text - s->length, 0);

            if (n <= 0)
                fail(s, step, n < 0 ? "no reply" : "the connection is closed");
            s->length += (size_t)n;
        }
        if (strncmp(line, code, 3) != 0)
            fail(s, step, line);
    } while (line[3] == '-');
}

static void begin(struct session *s)
{
    const struct timeval patience = {.tv_sec = PATIENCE};
    const int on = 1;

    s->fd = socket(s->load->server.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(s->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    if (s->load->server.ss_family == AF_INET)
        setsockopt(s->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (connect(s->fd, (const struct sockaddr *)&s->load->server, s->load->server_size) != 0)
        fail(s, "the connection", "refused");
    hear(s, "the banner", "220");
    say(s, "the greeting", str_of(s->load->hello));
    hear(s, "the greeting", "250");
}

static void send_one(struct session *s, long number)
{
    char commands[512];

    snprintf(commands, sizeof commands, "MAIL FROM:<sender@client.example>\r\nRCPT TO:<u%ld@%s>\r\nDATA\r\n",
             number % s->load->mailboxes, s->load->domain);
    say(s, "MAIL", str_of(commands));
    hear(s, "MAIL", "250");
    hear(s, "RCPT", "250");
    hear(s, "DATA", "354");
    say(s, "the message", buf_str(&s->load->message));
    hear(s, "the message", "250");
}

static void *work(void *argument)
{
    struct session *s = argument;
    long number;

    while ((number = atomic_fetch_add(&s->load->begun, 1)) < s->load->count)
        send_one(s, number);
    return NULL;
}

static double cpu_used(void)
{
    struct rusage r;

    getrusage(RUSAGE_SELF, &r);
    return (double)(r.ru_utime.tv_sec + r.ru_stime.tv_sec) + (double)(r.ru_utime.tv_usec + r.ru_stime.tv_usec) / 1e6;
}

/* The clock starts when all sessions are open. */
static void measure(struct load *l, long at_once)
{
    struct session *sessions = memory_new((size_t)at_once * sizeof *sessions);
    int64_t began;
    double seconds, used;

    for (long i = 0; i < at_once; i++) {
        sessions[i].load = l;
        begin(&sessions[i]);
    }
    began = clock_now();
    used = cpu_used();
    for (long i = 0; i < at_once; i++)
        if (pthread_create(&sessions[i].thread, NULL, work, &sessions[i]) != 0)
            fail(&sessions[i], "the start", "no thread");
    for (long i = 0; i < at_once; i++)
        pthread_join(sessions[i].thread, NULL);
    seconds = (double)(clock_now() - began + 1) / 1000;
    printf("seconds=%.3f rate=%.1f cpu=%.3f\n", seconds, (double)l->count / seconds, cpu_used() - used);
    for (long i = 0; i < at_once; i++)
        close(sessions[i].fd);
    memory_free(&sessions);
}

static void make_message(struct buf *message, size_t size)
{
    buf_add_text(message, "From: <sender@client.example>\r\nSubject: a message\r\n\r\n");
    while (message->length < size)
        buf_add_text(message, "All work and no play makes a message of many lines, each of them like this one.\r\n");
    buf_add_text(message, ".\r\n");
}

__attribute__((noreturn)) static void explain(void)
{
    fprintf(stderr, "usage: mailload [-L] [-n MESSAGES] [-c SESSIONS] [-u MAILBOXES] [-l OCTETS] DOMAIN PORT|PATH\n");
    exit(USAGE);
}

static long number_of(const char *text, uint64_t most)
{
    uint64_t value;

    if (!str_number(str_of(text), most, &value) || value == 0)
        explain();
    return (long)value;
}

static void find_server(struct load *l, const char *place)
{
    if (place[0] == '/') {
        struct sockaddr_un *name = (struct sockaddr_un *)&l->server;

        if (strlen(place) >= sizeof name->sun_path)
            explain();
        name->sun_family = AF_UNIX;
        memcpy(name->sun_path, place, strlen(place) + 1);
        l->server_size = sizeof *name;
    } else {
        struct sockaddr_in *name = (struct sockaddr_in *)&l->server;

        name->sin_family = AF_INET;
        name->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        name->sin_port = htons((uint16_t)number_of(place, UINT16_MAX));
        l->server_size = sizeof *name;
    }
}

int main(int count, char **words)
{
    struct load l = {.count = 1000, .mailboxes = 1, .hello = "EHLO client.example\r\n"};
    long at_once = 20, size = 4096;
    int option;

    while ((option = getopt(count, words, "Ln:c:u:l:")) != -1) {
        switch (option) {
        case 'L': l.hello = "LHLO client.example\r\n"; break;
        case 'n': l.count = number_of(optarg, 100000000); break;
        case 'c': at_once = number_of(optarg, SESSIONS_MAX); break;
        case 'u': l.mailboxes = number_of(optarg, 1000000); break;
        case 'l': size = number_of(optarg, 1 << 30); break;
        default: explain();
        }
    }
    if (optind != count - 2)
        explain();
    l.domain = words[optind];
    find_server(&l, words[optind + 1]);
    make_message(&l.message, (size_t)size);
    measure(&l, at_once);
    buf_done(&l.message);
    return 0;
}

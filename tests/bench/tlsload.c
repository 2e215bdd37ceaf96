/*
 * tlsload - a load of short SMTP sessions over TLS, as many as the server takes.
 *
 *     tlsload [-n SESSIONS] [-c AT ONCE] [-t THREADS] [-l OCTETS] [-r] PORT
 *
 * A session is connect, EHLO, STARTTLS, handshake, EHLO, MAIL, RCPT, DATA, QUIT at 127.0.0.1; no command goes out before the
 * reply to the one before it.  All speak TLS 1.3 with the same cipher and key exchange, so that servers can be compared.  With -r each
 * resumes an earlier one by its newest ticket; the first of each thread, which cannot, is over before the clock starts and is not
 * counted.  Certificates are taken as they come: to verify them would be our time, not the server's.
 *
 * Prints one line of key=value; cpu is what this program used meanwhile, in seconds.  The first thing that goes wrong is said on standard
 * error and ends everything with status 1: a figure is only as good as its last session.
 */
#include "base/buf.h"
#include "base/clock.h"
#include "base/memory.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { PATIENCE_MS = 60000, EVENTS = 64, REPLY_SIZE = 2048, THREADS_MAX = 64, USAGE = 64 };

struct step {
    const char *name;
    const char *command; /* sent when the step begins; NULL: the message */
    int code;            /* of the reply that ends it; 0: no reply, a handshake does */
};

static const struct step steps[] = {
    {"the banner", "", 220},
    {"EHLO", "EHLO client.example\r\n", 250},
    {"STARTTLS", "STARTTLS\r\n", 220},
    {"the handshake", "", 0},
    {"EHLO under TLS", "EHLO client.example\r\n", 250},
    {"MAIL", "MAIL FROM:<sender@client.example>\r\n", 250},
    {"RCPT", "RCPT TO:<recipient@hop.example>\r\n", 250},
    {"DATA", "DATA\r\n", 354},
    {"the message", NULL, 250},
    {"QUIT", "QUIT\r\n", 221},
};

enum { STEPS = sizeof steps / sizeof *steps };

/* What all threads share. */
struct load {
    struct sockaddr_in server;
    SSL_CTX *tls;
    struct buf message;
    bool resume;
    long count;
    atomic_long begun, resumed;
};

struct worker {
    struct load *load;
    pthread_t thread;
    int poll, at_once;
    SSL_SESSION *ticket; /* the newest; NULL without -r */
};

struct session {
    struct worker *worker;
    int fd;
    SSL *tls; /* NULL before the handshake */
    size_t step, got;
    struct str left; /* of the command, still to be sent */
    uint32_t events; /* what epoll waits for */
    char reply[REPLY_SIZE];
};

__attribute__((noreturn, format(printf, 1, 2))) static void fail(const char *format, ...)
{
    char text[REPLY_SIZE + 256];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    fprintf(stderr, "tlsload: %s\n", text);
    /* Not exit: other threads are still in the libraries that it would take down. */
    _exit(1);
}

__attribute__((noreturn)) static void fail_session(const struct session *s, const char *why)
{
    const char *problem = ERR_reason_error_string(ERR_peek_error());

    fail("%s: %s%s%s", steps[s->step].name, why, problem != NULL ? ": " : "", problem != NULL ? problem : "");
}

static void await(struct session *s, uint32_t events)
{
    struct epoll_event e = {.events = events, .data.ptr = s};

    if (s->events == events)
        return;
    if (epoll_ctl(s->worker->poll, s->events == 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, s->fd, &e) < 0)
        fail("epoll_ctl: %s", strerrordesc_np(errno));
    s->events = events;
}

/* After a call of the TLS library that did not do its work; it was for want of the socket, or the session is lost. */
static void await_tls(struct session *s, int result)
{
    int error = SSL_get_error(s->tls, result);

    if (error == SSL_ERROR_WANT_READ)
        await(s, EPOLLIN);
    else if (error == SSL_ERROR_WANT_WRITE)
        await(s, EPOLLOUT);
    else
        fail_session(s, "the connection broke");
}

/* Less than nothing with EAGAIN: waits for the socket. */
static ssize_t send_some(struct session *s)
{
    size_t done = 0;
    int result;

    if (s->tls == NULL) {
        ssize_t sent = send(s->fd, s->left.data, s->left.length, MSG_NOSIGNAL);

        if (sent < 0 && errno == EAGAIN)
            await(s, EPOLLOUT);
        return sent;
    }
    ERR_clear_error();
    result = SSL_write_ex(s->tls, s->left.data, s->left.length, &done);
    if (result == 1)
        return (ssize_t)done;
    await_tls(s, result);
    errno = EAGAIN;
    return -1;
}

/* Sends what is left of the command, then waits for the reply. */
static void push(struct session *s)
{
    while (s->left.length > 0) {
        ssize_t done = send_some(s);

        if (done < 0 && errno == EAGAIN)
            return;
        if (done < 0)
            fail_session(s, strerrordesc_np(errno));
        s->left = str_from(s->left, (size_t)done);
    }
    await(s, EPOLLIN);
}

static ssize_t receive_some(struct session *s)
{
    size_t room = sizeof s->reply - s->got, done = 0;
    int result;

    if (s->tls == NULL)
        return recv(s->fd, s->reply + s->got, room, 0);
    ERR_clear_error();
    result = SSL_read_ex(s->tls, s->reply + s->got, room, &done);
    if (result == 1)
        return (ssize_t)done;
    await_tls(s, result);
    errno = EAGAIN;
    return -1;
}

/* Whether the last line is there: digits, a space, CR LF. */
static bool reply_is_whole(struct str reply)
{
    struct str line, last = {"", 0};

    if (!str_ends(reply, STR("\r\n")))
        return false;
    while (str_cut(&reply, '\n', &line))
        if (line.length > 0)
            last = line;
    return last.length > 3 && last.data[3] == ' ';
}

/* False: not all of the reply has come. */
static bool pull(struct session *s)
{
    for (;;) {
        ssize_t done = receive_some(s);
        struct str reply;
        uint64_t code;

        if (done < 0 && errno == EAGAIN)
            return false;
        if (done <= 0)
            fail_session(s, done == 0 ? "the server closed the connection" : strerrordesc_np(errno));
        s->got += (size_t)done;
        reply = (struct str){s->reply, s->got};
        if (!reply_is_whole(reply)) {
            if (s->got == sizeof s->reply)
                fail_session(s, "a reply without an end");
            continue;
        }
        if (!str_number(str_part(reply, 0, 3), 999, &code) || (int)code != steps[s->step].code)
            fail("%s: %.*s", steps[s->step].name, STR_ARG(str_trim(str_part(reply, 0, reply.length - 2))));
        s->got = 0;
        return true;
    }
}

static bool shake_hands(struct session *s)
{
    int result;

    ERR_clear_error();
    result = SSL_connect(s->tls);
    if (result != 1) {
        await_tls(s, result);
        return false;
    }
    if (SSL_session_reused(s->tls))
        atomic_fetch_add(&s->worker->load->resumed, 1);
    return true;
}

/* A copy: the library lets a client use a TLS 1.3 ticket once, and not all servers send a new one to those that resume. */
static void use_ticket(struct session *s)
{
    SSL_SESSION *ticket = SSL_SESSION_dup(s->worker->ticket);

    if (ticket == NULL || SSL_set_session(s->tls, ticket) != 1)
        fail_session(s, "the ticket is not taken");
    SSL_SESSION_free(ticket);
}

static void start_tls(struct session *s)
{
    s->tls = SSL_new(s->worker->load->tls);
    if (s->tls == NULL || SSL_set_fd(s->tls, s->fd) != 1 || SSL_set_app_data(s->tls, s) != 1)
        fail_session(s, "no TLS");
    if (s->worker->ticket != NULL)
        use_ticket(s);
}

static void open_session(struct session *s)
{
    const struct load *l = s->worker->load;
    int on = 1;

    s->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (s->fd < 0 || setsockopt(s->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) < 0)
        fail("socket: %s", strerrordesc_np(errno));
    if (connect(s->fd, (const struct sockaddr *)&l->server, sizeof l->server) < 0 && errno != EINPROGRESS)
        fail("connect: %s", strerrordesc_np(errno));
    s->step = 0;
    s->events = 0;
    await(s, EPOLLIN);
}

static void close_session(struct session *s)
{
    SSL_shutdown(s->tls);
    SSL_free(s->tls);
    s->tls = NULL;
    close(s->fd);
}

/* Goes on to the next step; false when there is none. */
static bool step_on(struct session *s)
{
    const struct step *step;

    if (++s->step == STEPS)
        return false;
    step = &steps[s->step];
    s->left = step->command != NULL ? str_of(step->command) : buf_str(&s->worker->load->message);
    if (step->code == 0)
        start_tls(s);
    else
        push(s);
    return true;
}

/* Does what can be done now; false when the session is over. */
static bool advance(struct session *s)
{
    if (s->left.length > 0) {
        push(s);
        return true;
    }
    while (steps[s->step].code == 0 ? shake_hands(s) : pull(s)) {
        if (!step_on(s))
            return false;
        if (steps[s->step].code != 0)
            return true;
    }
    return true;
}

static bool more_to_begin(struct load *l)
{
    return atomic_fetch_add(&l->begun, 1) < l->count;
}

/* Keeps AT_ONCE sessions open until all that are wanted have been begun, and sees them to their end. */
static void run_sessions(struct worker *w, int at_once)
{
    struct session *sessions = memory_new((size_t)at_once * sizeof *sessions);
    int open = 0;

    while (open < at_once && more_to_begin(w->load)) {
        sessions[open].worker = w;
        open_session(&sessions[open++]);
    }
    while (open > 0) {
        struct epoll_event events[EVENTS];
        int ready = epoll_wait(w->poll, events, EVENTS, PATIENCE_MS);

        if (ready == 0)
            fail("no session went on for %d s", PATIENCE_MS / 1000);
        for (int i = 0; i < ready; i++) {
            struct session *s = events[i].data.ptr;

            if (advance(s))
                continue;
            close_session(s);
            if (more_to_begin(w->load))
                open_session(s);
            else
                open--;
        }
    }
    memory_free(&sessions);
}

static void *work(void *argument)
{
    struct worker *w = argument;

    run_sessions(w, w->at_once);
    return NULL;
}

static int trust(X509_STORE_CTX *chain, void *nothing)
{
    (void)chain;
    (void)nothing;
    return 1;
}

static int keep_ticket(SSL *tls, SSL_SESSION *ticket)
{
    struct session *s = SSL_get_app_data(tls);

    SSL_SESSION_free(s->worker->ticket);
    s->worker->ticket = ticket;
    return 1;
}

static void make_tls(struct load *l)
{
    SSL_CTX *c = SSL_CTX_new(TLS_client_method());

    if (c == NULL || SSL_CTX_set_min_proto_version(c, TLS1_3_VERSION) != 1 || SSL_CTX_set_ciphersuites(c, "TLS_AES_256_GCM_SHA384") != 1 ||
        SSL_CTX_set1_groups_list(c, "X25519") != 1)
        fail("no TLS 1.3 with TLS_AES_256_GCM_SHA384 and X25519");
    SSL_CTX_set_cert_verify_callback(c, trust, NULL);
    SSL_CTX_set_read_ahead(c, 1);
    SSL_CTX_set_session_cache_mode(c, l->resume ? SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL : SSL_SESS_CACHE_OFF);
    SSL_CTX_sess_set_new_cb(c, l->resume ? keep_ticket : NULL);
    l->tls = c;
}

static void make_message(struct buf *message, size_t size)
{
    static const char line[] = "The quick brown fox jumps over the lazy dog, and back again at night.\r\n";

    buf_add_text(message, "Date: Sat, 21 Nov 2026 12:00:00 +0000\r\nMessage-ID: <1@client.example>\r\n"
                          "From: <sender@client.example>\r\nTo: <recipient@hop.example>\r\nSubject: load\r\n\r\n");
    while (message->length + sizeof line - 1 <= size)
        buf_add(message, STR(line));
    buf_add_text(message, ".\r\n");
}

static double cpu_used(void)
{
    struct rusage r;

    getrusage(RUSAGE_SELF, &r);
    return (double)(r.ru_utime.tv_sec + r.ru_stime.tv_sec) + (double)(r.ru_utime.tv_usec + r.ru_stime.tv_usec) / 1e6;
}

/* One session of each worker that fetches the ticket of its next. */
static void fetch_tickets(struct load *l, struct worker *workers, int threads)
{
    long count = l->count;

    l->count = 1;
    for (int i = 0; i < threads; i++) {
        atomic_store(&l->begun, 0);
        run_sessions(&workers[i], 1);
        if (workers[i].ticket == NULL)
            fail("the server gives no ticket");
    }
    l->count = count;
    atomic_store(&l->begun, 0);
}

static void run_threads(struct worker *workers, int threads)
{
    for (int i = 0; i < threads; i++)
        if (pthread_create(&workers[i].thread, NULL, work, &workers[i]) != 0)
            fail("no thread");
    for (int i = 0; i < threads; i++)
        pthread_join(workers[i].thread, NULL);
}

static void measure(struct load *l, int at_once, int threads)
{
    struct worker workers[THREADS_MAX];
    int64_t began;
    double used, seconds;

    for (int i = 0; i < threads; i++)
        workers[i] = (struct worker){l, .poll = epoll_create1(EPOLL_CLOEXEC), .at_once = at_once / threads + (i < at_once % threads)};
    if (l->resume)
        fetch_tickets(l, workers, threads);
    began = clock_now();
    used = cpu_used();
    run_threads(workers, threads);
    used = cpu_used() - used;
    seconds = (double)(clock_now() - began) / 1000;
    printf("sessions=%ld resumed=%ld seconds=%.3f rate=%.1f cpu=%.3f\n", l->count, atomic_load(&l->resumed), seconds,
           (double)l->count / seconds, used);
    for (int i = 0; i < threads; i++) {
        SSL_SESSION_free(workers[i].ticket);
        close(workers[i].poll);
    }
}

static long number_of(const char *text, uint64_t most)
{
    uint64_t value;

    if (!str_number(str_of(text), most, &value) || value == 0) {
        fprintf(stderr, "usage: tlsload [-n SESSIONS] [-c AT ONCE] [-t THREADS] [-l OCTETS] [-r] PORT\n");
        exit(USAGE);
    }
    return (long)value;
}

int main(int count, char **words)
{
    struct load l = {.count = 1000};
    long at_once = 20, threads = 2, size = 4096;
    int option;

    while ((option = getopt(count, words, "n:c:t:l:r")) != -1) {
        switch (option) {
        case 'n': l.count = number_of(optarg, 100000000); break;
        case 'c': at_once = number_of(optarg, 10000); break;
        case 't': threads = number_of(optarg, THREADS_MAX); break;
        case 'l': size = number_of(optarg, 1 << 30); break;
        case 'r': l.resume = true; break;
        default: number_of(NULL, 0);
        }
    }
    l.server = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    l.server.sin_port = htons((uint16_t)number_of(optind == count - 1 ? words[optind] : NULL, UINT16_MAX));
    signal(SIGPIPE, SIG_IGN);
    make_tls(&l);
    make_message(&l.message, (size_t)size);
    measure(&l, (int)at_once, (int)(threads < at_once ? threads : at_once));
    SSL_CTX_free(l.tls);
    buf_done(&l.message);
    return 0;
}

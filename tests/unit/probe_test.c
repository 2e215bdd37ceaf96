#include "test.h"

#include "base/clock.h"
#include "base/thread.h"
#include "lmtp/probe.h"

#include "place.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/un.h>

enum { TTL = 60000, NEGATIVE_TTL = 2000, ASKERS = 20 };

/* Far ahead of the system's, so that nothing that is waited for comes too late. */
static _Atomic int64_t now = INT64_C(1000000000000);

static int64_t read_clock(void)
{
    return atomic_load(&now);
}

static const struct clock_source clock_here = {read_clock, read_clock};

/* An LMTP server, a connection at a time. */
static struct {
    struct place place;
    char path[64], address[256];
    int listener;
    _Atomic(const char *) hello, mail, rcpt; /* what it says; NULL: it hangs up */
    _Atomic int connections;
    struct buf heard; /* of the last */
    pthread_t thread;
} server;

static void say(int fd, const char *text)
{
    pair_send(fd, str_of(text));
    pair_send(fd, STR("\r\n"));
}

/* False when the connection is over. */
static bool answer(int fd, struct str line)
{
    const struct {
        struct str word;
        const char *reply;
    } table[] = {{STR("LHLO "), server.hello}, {STR("MAIL "), server.mail}, {STR("RCPT "), server.rcpt}, {STR("RSET"), "250 2.0.0 ok"},
                 {STR("QUIT"), "221 2.0.0 bye"}};
    const char *reply = "500 5.5.1 what";

    for (size_t i = 0; i < TEST_COUNT(table); i++)
        if (str_starts(line, table[i].word))
            reply = table[i].reply;
    if (reply != NULL)
        say(fd, reply);
    return reply != NULL && !str_starts(line, STR("QUIT"));
}

static void talk(int fd)
{
    size_t done = 0, end;
    char piece[4096];
    ssize_t n;

    say(fd, "220 mailboxes LMTP");
    while ((n = recv(fd, piece, sizeof piece, 0)) > 0) {
        buf_add(&server.heard, (struct str){piece, (size_t)n});
        while ((end = str_find(buf_str(&server.heard), '\n', done)) < server.heard.length) {
            if (!answer(fd, str_from(str_part(buf_str(&server.heard), 0, end), done)))
                return;
            done = end + 1;
        }
    }
}

static void *serve(void *nothing)
{
    int fd;

    while ((fd = accept(server.listener, NULL, NULL)) >= 0) {
        atomic_fetch_add(&server.connections, 1);
        buf_clear(&server.heard);
        talk(fd);
        close(fd);
    }
    return nothing;
}

static void start_server(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    str_copy(str_of(server.path), address.sun_path, sizeof address.sun_path);
    server.listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(server.listener, (struct sockaddr *)&address, sizeof address) != 0 || listen(server.listener, ASKERS) != 0
        || pthread_create(&server.thread, NULL, serve, NULL) != 0)
        abort();
}

static void stop_server(void)
{
    shutdown(server.listener, SHUT_RDWR);
    pthread_join(server.thread, NULL);
    close(server.listener);
    unlink(server.path);
}

static struct conf conf;
static struct lmtp_means means = {.conf = &conf};

/* OTHERS stand before the server in TMAIL_LMTP_ADDRESS. */
static struct probe *open_probe(const char *others)
{
    place_open(&server.place);
    str_copy(str_of(place_path(&server.place, "lmtp")), server.path, sizeof server.path);
    snprintf(server.address, sizeof server.address, "%sunix:%s", others, server.path);
    conf = (struct conf){.me = "mx.example", .lmtp_address = server.address, .lmtp_tls = "may", .deliverd_connect_timeout = 30000,
                         .lmtp_probe_ttl = TTL, .lmtp_probe_negative_ttl = NEGATIVE_TTL};
    server.hello = "250-mailboxes\r\n250-PIPELINING\r\n250 ENHANCEDSTATUSCODES";
    server.mail = server.rcpt = "250 2.1.0 ok";
    atomic_store(&server.connections, 0);
    return probe_new(&means);
}

static struct probe *start(void)
{
    struct probe *p = open_probe("");

    start_server();
    return p;
}

static void close_probe(struct probe **p)
{
    probe_free(p);
    buf_done(&server.heard);
    place_close(&server.place);
}

static void finish(struct probe **p)
{
    stop_server();
    close_probe(p);
}

static struct status ask(struct probe *p, const char *address)
{
    bool unknown;
    struct status s = probe_ask(p, str_of(address), &unknown);

    check(unknown == (s.code == 550 && s.subject == 1));
    return s;
}

static int connections(void)
{
    return atomic_load(&server.connections);
}

static void a_known_one_is_asked_once(void)
{
    struct probe *p = start();

    check_number(ask(p, "Ab@example").code, 250);
    check_number(ask(p, "Ab@example").code, 250);
    check_number(connections(), 1);
    check_number(ask(p, "ab@example").code, 250);
    check_number(connections(), 2);
    atomic_fetch_add(&now, TTL);
    server.rcpt = "550 5.1.1 gone";
    check_number(ask(p, "Ab@example").code, 550);
    check_number(connections(), 3);
    stop_server();
    check_text(buf_text(&server.heard), "LHLO mx.example\r\nMAIL FROM:<>\r\nRCPT TO:<Ab@example>\r\nRSET\r\nQUIT\r\n");
    close_probe(&p);
}

static void an_unknown_one_is_asked_again_sooner(void)
{
    struct probe *p = start();
    struct status s;

    server.rcpt = "550 5.1.1 <no@example> User doesn't exist";
    s = ask(p, "no@example");
    check_number(s.code, 550);
    check_text(s.text, "<no@example>: No such user here (<no@example> User doesn't exist)");
    atomic_fetch_add(&now, NEGATIVE_TTL - 1);
    check_number(ask(p, "no@example").code, 550);
    check_number(connections(), 1);
    atomic_fetch_add(&now, 1);
    server.rcpt = "250 2.1.5 there is one now";
    check_number(ask(p, "no@example").code, 250);
    finish(&p);
}

static void what_is_unclear_is_not_kept(void)
{
    struct probe *p = start();

    server.rcpt = "451 4.3.0 not now";
    check_number(ask(p, "a@example").code, 451);
    server.rcpt = "250 2.1.5 ok";
    check_number(ask(p, "a@example").code, 250);
    check_number(connections(), 2);
    finish(&p);
}

static void answers(void)
{
    static const struct {
        const char *hello, *mail, *rcpt;
        const char *status;
    } table[] = {
        {NULL, NULL, "250 ok", "250 2.0.0"},
        {NULL, NULL, "251 2.1.5 elsewhere", "250 2.0.0"},
        {NULL, NULL, "550 no", "550 5.1.1"},
        {NULL, NULL, "553 5.1.3 no", "550 5.1.1"},
        {NULL, NULL, "552 5.2.2 full", "552 5.2.2"},
        {NULL, NULL, "550 5.7.1 no relay", "550 5.7.1"},
        {NULL, NULL, "452 4.2.2 full", "451 4.3.0"},
        {NULL, NULL, "354 go on", "451 4.3.0"},
        {NULL, NULL, "500 5.5.2 what", "451 4.3.0"},
        {NULL, NULL, "501 5.5.4 syntax", "451 4.3.0"},
        {NULL, NULL, "530 5.7.0 TLS first", "451 4.3.0"},
        {NULL, NULL, "555 5.5.4 parameters", "451 4.3.0"},
        {NULL, NULL, "554 5.5.1 no", "451 4.3.0"},
        {NULL, "451 4.3.0 no", "503 5.5.1 MAIL first", "451 4.3.0"},
        {NULL, "550 5.1.8 no", "503 5.5.1 MAIL first", "451 4.3.0"},
        {"250 no extensions", NULL, "250 ok", "250 2.0.0"},
        {"250 no extensions", NULL, "550 5.1.1 no", "550 5.1.1"},
        {"250 no extensions", "550 5.1.1 no sender", "250 ok", "451 4.3.0"},
    };

    for (size_t i = 0; i < TEST_COUNT(table); i++) {
        struct probe *p = start();
        char text[64], enhanced[STATUS_ENHANCED_SIZE];
        struct status s;

        server.hello = table[i].hello != NULL ? table[i].hello : server.hello;
        server.mail = table[i].mail != NULL ? table[i].mail : server.mail;
        server.rcpt = table[i].rcpt;
        s = ask(p, "a@example");
        status_enhanced(&s, enhanced);
        snprintf(text, sizeof text, "%d %.*s", s.code, (int)strcspn(enhanced, " "), enhanced);
        if (!check_text(text, table[i].status))
            printf("# the answer to RCPT was: %s\n", table[i].rcpt);
        finish(&p);
    }
}

static void other_alphabets_need_smtputf8(void)
{
    struct probe *p = start();
    struct status s = ask(p, "\xc3\xa4@example");

    check_number(s.code, 550);
    check_number(s.subject, 6);
    server.hello = "250-mailboxes\r\n250 SMTPUTF8";
    atomic_fetch_add(&now, NEGATIVE_TTL);
    check_number(ask(p, "\xc3\xa4@example").code, 250);
    stop_server();
    check_has(buf_text(&server.heard), "MAIL FROM:<> SMTPUTF8\r\nRCPT TO:<\xc3\xa4@example>\r\n");
    close_probe(&p);
}

static void a_server_that_fails_is_left_alone(void)
{
    struct probe *p = start();

    server.rcpt = NULL;
    check_number(ask(p, "a@example").code, 451);
    server.rcpt = "250 ok";
    check_number(ask(p, "a@example").code, 451);
    check_number(ask(p, "b@example").code, 451);
    check_number(connections(), 1);
    atomic_fetch_add(&now, PROBE_PAUSE_MS);
    check_number(ask(p, "a@example").code, 250);
    check_number(ask(p, "b@example").code, 250);
    finish(&p);
}

static void the_next_server_is_asked(void)
{
    struct probe *p = open_probe("unix:/nonexistent/lmtp;");
    struct status s;

    s = ask(p, "a@example");
    check_number(s.code, 451);
    check(strstr(s.text, "nonexistent") == NULL);
    atomic_fetch_add(&now, PROBE_PAUSE_MS);
    start_server();
    check_number(ask(p, "a@example").code, 250);
    check_number(ask(p, "b@example").code, 250);
    finish(&p);
}

static void what_is_known_needs_no_server(void)
{
    struct probe *p = start();

    check_number(ask(p, "a@example").code, 250);
    stop_server();
    check_number(ask(p, "b@example").code, 451);
    check_number(ask(p, "a@example").code, 250);
    close_probe(&p);
}

static struct probe *shared;
static _Atomic int taken;

static void *ask_shared(void *nothing)
{
    bool unknown;

    taken += probe_ask(shared, STR("a@example"), &unknown).code == 250;
    return nothing;
}

static void many_share_one_question(void)
{
    pthread_t threads[ASKERS];

    shared = start();
    taken = 0;
    for (int i = 0; i < ASKERS; i++)
        if (pthread_create(&threads[i], NULL, ask_shared, NULL) != 0)
            abort();
    for (int i = 0; i < ASKERS; i++)
        pthread_join(threads[i], NULL);
    check_number(taken, ASKERS);
    check_number(connections(), 1);
    finish(&shared);
}

static const struct test_case cases[] = {
    TEST_CASE(a_known_one_is_asked_once),     TEST_CASE(an_unknown_one_is_asked_again_sooner), TEST_CASE(what_is_unclear_is_not_kept),
    TEST_CASE(answers),                       TEST_CASE(other_alphabets_need_smtputf8),        TEST_CASE(a_server_that_fails_is_left_alone),
    TEST_CASE(the_next_server_is_asked),      TEST_CASE(what_is_known_needs_no_server),        TEST_CASE(many_share_one_question),
};

int main(int argc, char **argv)
{
    clock_use(&clock_here);
    return test_main(cases, TEST_COUNT(cases), argc, argv);
}

#include "test.h"

#include "base/clock.h"
#include "base/memory.h"
#include "base/thread.h"
#include "deliverd/workers.h"
#include "net/listener.h"

#include "letter.h"
#include "place.h"

/* A next hop on loopback that takes everything, counts, and can be slow. */
static struct {
    struct lock lock;
    struct signal changed;
    int listener;
    struct address address;
    int connections, open, most_open, messages;
    int answer_ms;
    const char *greeting;
    char last_recipient[100];
} sink;

static bool sink_line(int fd, struct buf *input, char *line, size_t size)
{
    for (;;) {
        char *lf = input->length > 0 ? memchr(input->data, '\n', input->length) : NULL;
        char piece[4096];
        ssize_t n;

        if (lf != NULL) {
            size_t length = (size_t)(lf - input->data) + 1;

            snprintf(line, size, "%.*s", (int)length, input->data);
            memmove(input->data, input->data + length, input->length - length);
            input->length -= length;
            return true;
        }
        n = recv(fd, piece, sizeof piece, 0);
        if (n <= 0)
            return false;
        buf_add(input, (struct str){piece, (size_t)n});
    }
}

static void sink_session(void *argument)
{
    int fd = *(int *)argument;
    struct buf input = {0};
    char line[1000];
    bool in_data = false;

    memory_free(&argument);
    pair_send(fd, str_of(sink.greeting));
    while (sink_line(fd, &input, line, sizeof line)) {
        const char *reply = "250 ok\r\n";

        if (in_data) {
            if (strcmp(line, ".\r\n") != 0)
                continue;
            in_data = false;
            poll(NULL, 0, sink.answer_ms);
            lock_take(&sink.lock);
            sink.messages++;
            signal_all(&sink.changed);
            lock_release(&sink.lock);
        } else if (strncmp(line, "DATA", 4) == 0) {
            in_data = true;
            reply = "354 go\r\n";
        } else if (strncmp(line, "RCPT", 4) == 0) {
            lock_take(&sink.lock);
            snprintf(sink.last_recipient, sizeof sink.last_recipient, "%.90s", line);
            lock_release(&sink.lock);
        } else if (strncmp(line, "QUIT", 4) == 0) {
            break;
        }
        pair_send(fd, str_of(reply));
    }
    buf_done(&input);
    close(fd);
    lock_take(&sink.lock);
    sink.open--;
    signal_all(&sink.changed);
    lock_release(&sink.lock);
}

static void sink_accept(void *nothing)
{
    (void)nothing;
    for (;;) {
        struct pollfd p = {.fd = sink.listener, .events = POLLIN};
        struct address peer;
        int fd;

        poll(&p, 1, -1);
        fd = listener_accept(sink.listener, &peer);
        if (fd < 0)
            continue;
        fcntl(fd, F_SETFL, 0);
        lock_take(&sink.lock);
        sink.connections++;
        sink.open++;
        if (sink.open > sink.most_open)
            sink.most_open = sink.open;
        lock_release(&sink.lock);
        if (!thread_start(sink_session, memory_copy(&fd, sizeof fd)))
            abort();
    }
}

static void sink_open(void)
{
    lock_init(&sink.lock);
    signal_init(&sink.changed);
    sink.listener = listen_at_free_port(&sink.address);
    check(thread_start(sink_accept, NULL));
}

static void sink_reset(int answer_ms)
{
    int64_t deadline = clock_now() + 20000;

    lock_take(&sink.lock);
    while (sink.open > 0 && signal_wait(&sink.changed, &sink.lock, deadline))
        ;
    check_number(sink.open, 0);
    sink.connections = sink.most_open = sink.messages = 0;
    sink.answer_ms = answer_ms;
    sink.greeting = "220 sink\r\n";
    lock_release(&sink.lock);
}

/* ---- jobs ---- */

static struct conf conf;
static struct attempt_context context;
static struct address any_address;

/* Workers live as long as their process. */
static struct workers *make_workers(int64_t concurrency, int64_t in_flight, int64_t idle_ms)
{
    static struct workers *made[16];
    static struct conf confs[16];
    static struct attempt_context contexts[16];
    static size_t count;
    char error[200];

    confs[count] = (struct conf){.me = "me.example", .tempdir = "/tmp", .deliverd_max_in_flight = in_flight, .deliverd_remote_concurrency = in_flight,
                                 .deliverd_destination_concurrency = concurrency, .deliverd_remote_timeout = 10000, .deliverd_connect_timeout = 5000,
                                 .deliverd_dead_host_time = 60000, .deliverd_address_limit = 10, .dns_timeout = 20000, .deliverd_connection_idle = idle_ms,
                                 .deliverd_connection_messages = conf.deliverd_connection_messages};
    contexts[count] = (struct attempt_context){
        .conf = &confs[count], .local = {.count = 1, .items = &any_address}, .hosts = context.hosts, .ways = {.conf = &confs[count]}};
    made[count] = workers_new(&contexts[count], error, sizeof error);
    check(made[count] != NULL);
    return made[count++];
}

struct errand {
    struct claimed claimed;
    struct delivery delivery;
    struct message message;
    struct job job;
    struct hop hops[2];
};

static struct hop make_hop(struct errand *e, int64_t route, const char *host, int port)
{
    char key[CLAIM_HOST_SIZE];

    snprintf(key, sizeof key, "%s:%d", host, port);
    return (struct hop){.route = route, .host = host, .port = port, .local_text = "", .key = arena_text(&e->claimed.arena, str_of(key)),
                        .has_tls_rule = true, .tls_rule = {TLS_NONE, false}};
}

/* A job of one recipient for the sink, by HOST first if there is one. */
static struct str prepare(struct errand *e, const char *host, int port)
{
    char text[ADDRESS_TEXT_SIZE];
    size_t count = 0;

    *e = (struct errand){0};
    arena_init(&e->claimed.arena);
    envelope_init(&e->claimed.envelope, &e->claimed.arena);
    e->claimed.envelope.id = 1;
    e->claimed.envelope.sender = STR("s@x.example");
    e->claimed.has_content = true;
    e->claimed.content = STR("a\r\n");
    e->claimed.size = 3;
    e->delivery.recipient.address = STR("r@y.example");
    e->delivery.recipient.domain = STR("y.example");
    e->message = (struct message){.claimed = &e->claimed, .jobs = 1};
    if (host != NULL)
        e->hops[count++] = make_hop(e, 1, host, port);
    address_text(&sink.address, text);
    e->hops[count++] = make_hop(e, 2, arena_text(&e->claimed.arena, str_of(text)), sink.address.port);
    e->job = (struct job){.message = &e->message, .deliveries = &e->delivery, .count = 1, .plan = {.set = STR("x"), .hops = e->hops, .count = count, .status = status_ok()}};
    e->job.last = &e->delivery.next;
    return str_of(e->hops[0].key);
}

static void submit(struct workers *w, struct str key, struct errand *e)
{
    if (check(workers_reserve(w, key, false) == WORKERS_ROOM))
        workers_submit(w, key, &e->job);
}

/* Waits for COUNT jobs to come back; they are still the caller's. */
static void wait_done(struct workers *w, int count)
{
    int64_t deadline = clock_now() + 20000;

    while (count > 0 && clock_now() < deadline) {
        struct pollfd p = {.fd = workers_done_fd(w), .events = POLLIN};

        poll(&p, 1, 100);
        for (struct job *job = workers_take_done(w); job != NULL; job = job->next)
            count--;
    }
    check_number(count, 0);
    check_number(workers_busy(w), 0);
}

static void finish(struct errand *e)
{
    arena_done(&e->claimed.arena);
}

static void a_job_is_carried_out(void)
{
    struct workers *w = make_workers(2, 10, 10);
    struct errand e;

    sink_reset(0);
    submit(w, prepare(&e, NULL, 0), &e);
    wait_done(w, 1);
    check(e.job.carried_out);
    check_number(e.delivery.status.code, 250);
    check_has(e.delivery.host, "127.0.0.1[127.0.0.1]:");
    check_number(sink.messages, 1);
    check_text(sink.last_recipient, "RCPT TO:<r@y.example>\r\n");
    finish(&e);
    workers_stop(w);
}

static void one_connection_serves_a_hop(void)
{
    struct workers *w = make_workers(1, 10, 5000);
    struct errand e[20];

    sink_reset(0);
    for (int i = 0; i < 20; i++) {
        submit(w, prepare(&e[i], NULL, 0), &e[i]);
        if (i % 3 == 0)
            wait_done(w, i == 0 ? 1 : 3);
    }
    wait_done(w, 1);
    check_number(sink.messages, 20);
    check_number(sink.connections, 1);
    workers_stop(w);
    sink_reset(0); /* the idle worker says goodbye at once */
    for (int i = 0; i < 20; i++)
        finish(&e[i]);
}

static void a_connection_carries_no_more_than_it_may(void)
{
    struct workers *w;
    struct errand e[6];

    conf.deliverd_connection_messages = 2;
    w = make_workers(1, 10, 5000);
    conf.deliverd_connection_messages = 0;
    sink_reset(0);
    for (int i = 0; i < 6; i++)
        submit(w, prepare(&e[i], NULL, 0), &e[i]);
    wait_done(w, 6);
    check_number(sink.messages, 6);
    check_number(sink.connections, 3);
    workers_stop(w);
    for (int i = 0; i < 6; i++)
        finish(&e[i]);
}

static void concurrency_is_bounded(void)
{
    static const struct {
        int64_t destination, all;
        int most;
    } table[] = {{1, 10, 1}, {3, 10, 3}, {5, 2, 2}};

    for (size_t t = 0; t < TEST_COUNT(table); t++) {
        struct workers *w = make_workers(table[t].destination, table[t].all, 10);
        struct errand e[30];
        int sent = 0;

        sink_reset(30);
        while (sent < 30) {
            struct str key = prepare(&e[sent], NULL, 0);

            if (workers_reserve(w, key, false) != WORKERS_ROOM) {
                finish(&e[sent]);
                break;
            }
            workers_submit(w, key, &e[sent++].job);
        }
        /* It has enough some time, but not too early. */
        check(sent < 30 && sent >= table[t].most);
        wait_done(w, sent);
        check_number(sink.messages, sent);
        check_number(sink.most_open, table[t].most);
        for (int i = 0; i < sent; i++) {
            check_number(e[i].delivery.status.code, 250);
            finish(&e[i]);
        }
        workers_stop(w);
    }
}

static void a_place_is_given_up(void)
{
    struct workers *w = make_workers(1, 1, 10);
    struct errand e;
    struct str key = prepare(&e, NULL, 0);
    int places = 0;

    while (places < 100 && workers_reserve(w, key, false) == WORKERS_ROOM)
        places++;
    check(places > 0 && places < 100);
    for (int i = 0; i < places; i++)
        workers_give_up(w, key);
    for (int i = 0; i < places; i++)
        check(workers_reserve(w, key, false) == WORKERS_ROOM);
    check(workers_reserve(w, key, false) != WORKERS_ROOM);
    for (int i = 0; i < places; i++)
        workers_give_up(w, key);
    check_number(workers_busy(w), 0);
    finish(&e);
}

/* All threads are at work for one hop or idle there: another hop is served all the same. */
static void hops_do_not_starve(void)
{
    struct workers *w = make_workers(1, 1, 60000);
    struct errand first, second;

    sink_reset(0);
    submit(w, prepare(&first, NULL, 0), &first);
    wait_done(w, 1);
    submit(w, prepare(&second, "127.0.0.1", 1), &second); /* by another key; handed over to the sink */
    wait_done(w, 1);
    check_number(second.delivery.status.code, 250);
    finish(&first);
    finish(&second);
    workers_stop(w);
}

static void nobody_there_is_temporary(void)
{
    struct workers *w = make_workers(1, 4, 10);
    struct errand e;

    sink_reset(0);
    (void)prepare(&e, "127.0.0.3", 1);
    e.job.plan.count = 1;
    submit(w, str_of(e.hops[0].key), &e);
    wait_done(w, 1);
    check_number(e.delivery.status.code, 451);
    check_has(e.delivery.status.text, "refused");
    check_has(e.delivery.host, "127.0.0.3");
    finish(&e);
    workers_stop(w);
}

/* A greeting other than 2xx hands over, an answer to the mail does not. */
static void a_bad_greeting_hands_over(void)
{
    struct workers *w = make_workers(1, 4, 10);
    struct errand e;

    sink_reset(0);
    sink.greeting = "554 go away\r\n";
    submit(w, prepare(&e, NULL, 0), &e);
    wait_done(w, 1);
    check(e.delivery.status.code >= 400);
    check_number(sink.messages, 0);
    finish(&e);
    sink_reset(0);
    workers_stop(w);
}

static void a_stop_gives_back_what_has_not_started(void)
{
    struct workers *w = make_workers(1, 40, 60000);
    struct errand e[4];
    int carried_out = 0;

    sink_reset(200);
    for (int i = 0; i < 4; i++)
        submit(w, prepare(&e[i], NULL, 0), &e[i]);
    poll(NULL, 0, 60);
    workers_stop(w);
    wait_done(w, 4);
    for (int i = 0; i < 4; i++) {
        carried_out += e[i].job.carried_out;
        check(e[i].job.carried_out ? e[i].delivery.status.code == 250 : e[i].delivery.status.code == 0);
        finish(&e[i]);
    }
    check_number(carried_out, 1);
    check_number(sink.messages, 1);
}

static const struct test_case cases[] = {
    TEST_CASE(a_job_is_carried_out),
    TEST_CASE(one_connection_serves_a_hop),
    TEST_CASE(a_connection_carries_no_more_than_it_may),
    TEST_CASE(concurrency_is_bounded),
    TEST_CASE(a_place_is_given_up),
    TEST_CASE(hops_do_not_starve),
    TEST_CASE(nobody_there_is_temporary),
    TEST_CASE(a_bad_greeting_hands_over),
    TEST_CASE(a_stop_gives_back_what_has_not_started),
};

int main(int argc, char **argv)
{
    char error[300];
    struct place place;
    int status;

    place_open(&place);
    if (!address_parse(&any_address, STR("0.0.0.0")) || !log_open(place.folder, -1, LOG_FORMAT_LOGFMT, false, "test", error, sizeof error))
        return 1;
    context.hosts = hosts_new(0);
    sink_open();
    status = test_main(cases, TEST_COUNT(cases), argc, argv);
    sink_reset(0);
    place_close(&place);
    return status;
}

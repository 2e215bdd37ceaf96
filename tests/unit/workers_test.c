#include "test.h"

#include "base/clock.h"
#include "base/memory.h"
#include "base/thread.h"
#include "deliverd/workers.h"
#include "net/listener.h"

#include "letter.h"
#include "place.h"

#include <stdatomic.h>

enum { PATIENCE_MS = 20000 };

/* The time that tests make pass is added to what passes by itself. */
static atomic_llong time_added;

static int64_t test_now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000 + time_added;
}

/* As far from the other clock at all times. */
static int64_t test_wall(void)
{
    return 1700000000000 + test_now();
}

static const struct clock_source test_clock = {test_now, test_wall};

/* Threads wait by the system's clock: who has a deadline of later waits that much longer.  So this is for cases whose workers keep no
 * connection, or are told to stop, and the cases after it have no part of it. */
static void let_pass(int64_t ms)
{
    time_added += ms;
}

static void let_pass_no_more(struct workers *w)
{
    workers_stop(w);
    time_added = 0;
}

/* Where sessions of the sink are held while it is closed; who is held stays so until told to go on. */
struct gate {
    bool closed;
    int held, most_held, may_go;
};

/* A next hop on loopback that takes everything, counts, and waits at gates. */
static struct {
    struct lock lock;
    struct signal changed;
    int listener;
    struct address address;
    int connections, open, most_open, messages;
    struct gate greetings, answers;
    int last_fd;
    int bad_greetings; /* that many who come next are sent away */
    const char *greeting;
    char last_recipient[100];
} sink;

/* With the lock taken. */
static void pass(struct gate *g)
{
    if (!g->closed)
        return;
    g->held++;
    if (g->held > g->most_held)
        g->most_held = g->held;
    signal_all(&sink.changed);
    while (g->may_go == 0)
        signal_wait(&sink.changed, &sink.lock, CLOCK_NEVER);
    g->may_go--;
    g->held--;
}

static void close_gate(struct gate *g)
{
    lock_take(&sink.lock);
    g->closed = true;
    lock_release(&sink.lock);
}

/* For those who come, not for those who are held. */
static void open_gate(struct gate *g)
{
    lock_take(&sink.lock);
    g->closed = false;
    lock_release(&sink.lock);
}

static void let_go(struct gate *g, int count)
{
    lock_take(&sink.lock);
    g->may_go += count;
    signal_all(&sink.changed);
    lock_release(&sink.lock);
}

static void let_all_go(struct gate *g)
{
    lock_take(&sink.lock);
    g->closed = false;
    g->may_go = g->held;
    signal_all(&sink.changed);
    lock_release(&sink.lock);
}

/* What a number of the sink is. */
static int number_of(const int *number)
{
    int value;

    lock_take(&sink.lock);
    value = *number;
    lock_release(&sink.lock);
    return value;
}

static bool await(const int *number, int wanted)
{
    int64_t deadline = clock_now() + PATIENCE_MS;

    while (number_of(number) != wanted && clock_now() < deadline)
        poll(NULL, 0, 2);
    return check_number(number_of(number), wanted);
}

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
    const char *greeting;

    memory_free(&argument);
    lock_take(&sink.lock);
    sink.last_fd = fd;
    pass(&sink.greetings);
    greeting = sink.bad_greetings > 0 ? "554 go away\r\n" : sink.greeting;
    sink.bad_greetings -= sink.bad_greetings > 0;
    lock_release(&sink.lock);
    pair_send(fd, str_of(greeting));
    while (sink_line(fd, &input, line, sizeof line)) {
        const char *reply = "250 ok\r\n";

        if (in_data) {
            if (strcmp(line, ".\r\n") != 0)
                continue;
            in_data = false;
            lock_take(&sink.lock);
            pass(&sink.answers);
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

/* Waits until all who were there have gone. */
static void sink_reset(void)
{
    await(&sink.open, 0);
    lock_take(&sink.lock);
    sink.connections = sink.most_open = sink.messages = sink.bad_greetings = 0;
    sink.greetings = sink.answers = (struct gate){0};
    sink.greeting = "220 sink\r\n";
    lock_release(&sink.lock);
}

static void sink_greets(const char *greeting)
{
    lock_take(&sink.lock);
    sink.greeting = greeting;
    lock_release(&sink.lock);
}

static void sink_sends_away(int count)
{
    lock_take(&sink.lock);
    sink.bad_greetings = count;
    lock_release(&sink.lock);
}

/* ---- jobs ---- */

static struct conf conf;
static struct attempt_context context;
static struct address any_address;

/* Workers live as long as their process. */
static struct workers *make_workers(int64_t concurrency, int64_t in_flight, int64_t idle_ms)
{
    static struct workers *made[96];
    static struct conf confs[96];
    static struct attempt_context contexts[96];
    static size_t count;
    char error[200];

    confs[count] = (struct conf){.me = "me.example", .tempdir = "/tmp", .deliverd_remote_timeout = 86400000,
                                 .deliverd_connect_timeout = 86400000,
                                 .deliverd_dead_host_time = conf.deliverd_dead_host_time, .deliverd_address_limit = 10, .dns_timeout = 20000, .deliverd_connection_idle = idle_ms,
                                 .deliverd_connection_messages = conf.deliverd_connection_messages};
    contexts[count] = (struct attempt_context){
        .conf = &confs[count], .local = {.count = 1, .items = &any_address}, .hosts = context.hosts, .ways = {.conf = &confs[count]}};
    made[count] = workers_new(&contexts[count], &(struct workers_limits){in_flight, concurrency, conf.deliverd_dead_host_time}, error, sizeof error);
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
    e->job = (struct job){.flow = 1, .message = &e->message, .deliveries = &e->delivery, .count = 1, .plan = {.set = STR("x"), .hops = e->hops, .count = count, .status = status_ok()}};
    e->job.last = &e->delivery.next;
    return str_of(e->hops[0].key);
}

static enum workers_room reserve(struct workers *w, struct str key, int64_t flow)
{
    struct workers_place place;

    return workers_reserve(w, key, flow, 0, false, &place);
}

static void submit(struct workers *w, struct str key, struct errand *e)
{
    if (check(reserve(w, key, 1) == WORKERS_ROOM))
        workers_submit(w, key, &e->job);
}

/* Waits for COUNT jobs to come back; they are still the caller's. */
static void await_done(struct workers *w, int count)
{
    int64_t deadline = clock_now() + PATIENCE_MS;

    while (count > 0 && clock_now() < deadline) {
        struct pollfd p = {.fd = workers_done_fd(w), .events = POLLIN};

        poll(&p, 1, 100);
        for (struct job *job = workers_take_done(w); job != NULL; job = job->next)
            count--;
    }
    check_number(count, 0);
}

/* They are all that there are. */
static void wait_done(struct workers *w, int count)
{
    await_done(w, count);
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

    sink_reset();
    submit(w, prepare(&e, NULL, 0), &e);
    wait_done(w, 1);
    check(e.job.carried_out);
    check_number(e.delivery.status.code, 250);
    check_has(e.delivery.host, "127.0.0.1[127.0.0.1]:");
    check_number(number_of(&sink.messages), 1);
    check_text(sink.last_recipient, "RCPT TO:<r@y.example>\r\n");
    finish(&e);
    workers_stop(w);
}

static void one_connection_serves_a_hop(void)
{
    struct workers *w = make_workers(1, 10, 60000);
    struct errand e[20];

    sink_reset();
    for (int i = 0; i < 20; i++) {
        submit(w, prepare(&e[i], NULL, 0), &e[i]);
        if (i % 3 == 0)
            wait_done(w, i == 0 ? 1 : 3);
    }
    wait_done(w, 1);
    check_number(number_of(&sink.messages), 20);
    check_number(number_of(&sink.connections), 1);
    workers_stop(w);
    sink_reset(); /* the idle worker says goodbye at once */
    for (int i = 0; i < 20; i++)
        finish(&e[i]);
}

static void a_connection_carries_no_more_than_it_may(void)
{
    struct workers *w;
    struct errand e[6];

    conf.deliverd_connection_messages = 2;
    w = make_workers(1, 10, 60000);
    conf.deliverd_connection_messages = 0;
    sink_reset();
    for (int i = 0; i < 6; i++)
        submit(w, prepare(&e[i], NULL, 0), &e[i]);
    wait_done(w, 6);
    check_number(number_of(&sink.messages), 6);
    check_number(number_of(&sink.connections), 3);
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

        sink_reset();
        close_gate(&sink.answers);
        while (sent < 30) {
            struct str key = prepare(&e[sent], NULL, 0);

            if (reserve(w, key, 1) != WORKERS_ROOM) {
                finish(&e[sent]);
                break;
            }
            workers_submit(w, key, &e[sent++].job);
        }
        /* It has enough some time, but not too early. */
        check(sent < 30 && sent >= table[t].most);
        await(&sink.answers.held, table[t].most);
        let_all_go(&sink.answers);
        wait_done(w, sent);
        check_number(number_of(&sink.messages), sent);
        check_number(number_of(&sink.most_open), table[t].most);
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

    while (places < 100 && reserve(w, key, 1) == WORKERS_ROOM)
        places++;
    check(places > 0 && places < 100);
    for (int i = 0; i < places; i++)
        workers_give_up(w, key, 1);
    for (int i = 0; i < places; i++)
        check(reserve(w, key, 1) == WORKERS_ROOM);
    check(reserve(w, key, 1) != WORKERS_ROOM);
    for (int i = 0; i < places; i++)
        workers_give_up(w, key, 1);
    check_number(workers_busy(w), 0);
    finish(&e);
}

/* All threads are at work for one hop or idle there: another hop is served all the same. */
static void hops_do_not_starve(void)
{
    struct workers *w = make_workers(1, 1, 60000);
    struct errand first, second;

    sink_reset();
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

    sink_reset();
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

    sink_reset();
    sink_greets("554 go away\r\n");
    submit(w, prepare(&e, NULL, 0), &e);
    wait_done(w, 1);
    check(e.delivery.status.code >= 400);
    check_number(number_of(&sink.messages), 0);
    finish(&e);
    sink_reset();
    workers_stop(w);
}

static void a_stop_gives_back_what_has_not_started(void)
{
    struct workers *w = make_workers(1, 40, 60000);
    struct errand e[4];
    int carried_out = 0;

    sink_reset();
    close_gate(&sink.answers);
    for (int i = 0; i < 4; i++)
        submit(w, prepare(&e[i], NULL, 0), &e[i]);
    await(&sink.answers.held, 1);
    workers_stop(w);
    let_all_go(&sink.answers);
    wait_done(w, 4);
    for (int i = 0; i < 4; i++) {
        carried_out += e[i].job.carried_out;
        check(e[i].job.carried_out ? e[i].delivery.status.code == 250 : e[i].delivery.status.code == 0);
        finish(&e[i]);
    }
    check_number(carried_out, 1);
    check_number(number_of(&sink.messages), 1);
}

/* ---- flows ---- */

static void submit_of(struct workers *w, int64_t flow, struct errand *e)
{
    struct str key = prepare(e, NULL, 0);

    e->job.flow = flow;
    if (check(reserve(w, key, flow) == WORKERS_ROOM))
        workers_submit(w, key, &e->job);
}

/* One sender has all places that he gets; what another sends next is not behind all that. */
static void senders_take_turns(void)
{
    struct workers *w = make_workers(1, 100, 60000);
    struct errand first[12], others[2];
    struct str key;
    int64_t deadline = clock_now() + PATIENCE_MS;
    int sent = 0, done = 0, before = 0;

    sink_reset();
    close_gate(&sink.answers);
    submit_of(w, 7, &first[sent++]);
    await(&sink.answers.held, 1);
    while (sent < 12 && (key = prepare(&first[sent], NULL, 0), reserve(w, key, 7) == WORKERS_ROOM)) {
        first[sent].job.flow = 7;
        workers_submit(w, key, &first[sent++].job);
    }
    check_number(sent, 11); /* one is under way */
    submit_of(w, 8, &others[0]);
    submit_of(w, 9, &others[1]);
    let_all_go(&sink.answers);
    while (done < sent + 2 && clock_now() < deadline) {
        struct pollfd p = {.fd = workers_done_fd(w), .events = POLLIN};

        poll(&p, 1, 100);
        for (struct job *job = workers_take_done(w); job != NULL; job = job->next, done++)
            if (job->flow != 7)
                before = done;
    }
    check_number(done, sent + 2);
    check(before <= 4);
    check_number(number_of(&sink.connections), 1);
    workers_stop(w);
    for (int i = 0; i < 12 && i <= sent; i++)
        finish(&first[i]);
    finish(&others[0]);
    finish(&others[1]);
}

static int places_of(struct workers *w, struct str key, int64_t flow)
{
    int places = 0;

    while (places < 2000 && reserve(w, key, flow) == WORKERS_ROOM)
        places++;
    return places;
}

/* The window begins at 1: 2 x 1 + 8 places. */
static void senders_share_the_places_of_a_hop(void)
{
    struct workers *w = make_workers(1, 2000, 10);
    struct str key = STR("hop");
    int flows = 3, places = 0;

    check_number(places_of(w, key, 1), 10);
    check_number(places_of(w, key, 2), 5);
    check_number(places_of(w, key, 3), 3);
    check_number(reserve(w, key, 1), WORKERS_POOL_FULL);
    for (int i = 0; i < 18; i++)
        workers_give_up(w, key, i < 10 ? 1 : i < 15 ? 2 : 3);
    check_number(places_of(w, key, 1), 10);
    for (flows = 1; flows < 2000 && reserve(w, key, flows + 1) == WORKERS_ROOM; flows++)
        ;
    check_number(flows, 503); /* 512 places in all */
    for (int i = 0; i < 10; i++)
        workers_give_up(w, key, 1);
    for (int i = 2; i <= flows; i++)
        places += places_of(w, key, i);
    check_number(places, 10); /* nobody has more than 2 */
    check_number(places_of(w, STR("other"), 1), 10);
}

/* With few places in all there is one more for a sender that has none, and none for one that has some. */
static void a_sender_without_a_place_gets_one(void)
{
    struct str key = STR("hop");

    for (int64_t all = 2; all < 60; all++) {
        struct workers *w = make_workers(20, all, 10);
        int first = places_of(w, key, 1);

        check(first >= 1 && first <= 18);
        check_number(reserve(w, key, 1), WORKERS_POOL_FULL);
        check_number(reserve(w, key, 2), WORKERS_ROOM);
    }
}

/* ---- the window ---- */

/* Jobs until there is no room for more, or COUNT; how many there are then. */
static int fill(struct workers *w, struct errand *e, int sent, int count)
{
    struct str key;

    while (sent < count && (key = prepare(&e[sent], NULL, 0), reserve(w, key, 1) == WORKERS_ROOM))
        workers_submit(w, key, &e[sent++].job);
    if (sent < count)
        finish(&e[sent]);
    return sent;
}

/* It opens for what waits already, and no further than it may: who is too many comes before the next answer. */
static void a_window_opens(void)
{
    enum { JOBS = 200, MOST = 20, ANSWERS = 25 };
    struct workers *w = make_workers(MOST, 200, 60000);
    static struct errand e[JOBS];
    int sent, done = ANSWERS;
    int64_t deadline;

    sink_reset();
    close_gate(&sink.answers);
    sent = fill(w, e, 0, JOBS);
    check(sent >= 18);
    await(&sink.answers.held, 5);
    for (int answers = 1; answers <= ANSWERS && !test_failed(); answers++) {
        let_go(&sink.answers, 1);
        await(&sink.messages, answers);
        await(&sink.answers.held, 5 + answers < MOST ? 5 + answers : MOST);
        check_number(number_of(&sink.most_open), 5 + answers < MOST ? 5 + answers : MOST);
        sent = fill(w, e, sent, JOBS);
    }
    await_done(w, ANSWERS);
    let_all_go(&sink.answers);
    deadline = clock_now() + PATIENCE_MS;
    while (done < JOBS && clock_now() < deadline) {
        sent = fill(w, e, sent, JOBS);
        poll(&(struct pollfd){.fd = workers_done_fd(w), .events = POLLIN}, 1, 100);
        for (struct job *job = workers_take_done(w); job != NULL; job = job->next)
            done++;
    }
    check_number(done, JOBS);
    check_number(number_of(&sink.messages), JOBS);
    check_number(number_of(&sink.most_open), MOST);
    workers_stop(w);
    for (int i = 0; i < JOBS; i++)
        finish(&e[i]);
}

/* Its first job has failed, and with it the hop. */
static struct str make_down(struct workers *w, struct errand *e)
{
    struct str key = prepare(e, NULL, 0);

    sink_reset();
    sink_greets("554 go away\r\n");
    submit(w, key, e);
    wait_done(w, 1);
    check(e->job.hop_failed && !e->job.hop_answered);
    sink_reset();
    return key;
}

static void a_hop_that_fails_is_left_alone(void)
{
    struct workers *w = make_workers(1, 100, 10);
    struct workers_place place = {.room = WORKERS_ROOM};
    struct errand e[5];
    struct str key;
    int64_t before = clock_wall();
    int carried_out = 0;

    sink_reset();
    sink_greets("554 go away\r\n");
    for (int i = 0; i < 5; i++) {
        key = prepare(&e[i], NULL, 0);
        check_number(reserve(w, key, 1), WORKERS_ROOM);
    }
    for (int i = 0; i < 5; i++)
        workers_submit(w, key, &e[i].job);
    wait_done(w, 5);
    for (int i = 0; i < 5; i++) {
        carried_out += e[i].job.carried_out;
        check_number(e[i].delivery.status.code, 454);
        check(e[i].job.carried_out || (e[i].job.postponed > before + 50000 && e[i].job.postponed < clock_wall() + 70000));
    }
    check_number(carried_out, 1);
    check_number(workers_reserve(w, key, 1, 0, false, &place), WORKERS_DOWN);
    check(place.until > before + 50000 && place.until < clock_wall() + 70000);
    check_number(place.why.code, 454);
    check_has(place.why.text, "go away");
    check_number(reserve(w, STR("another"), 1), WORKERS_ROOM);
    for (int i = 0; i < 5; i++)
        finish(&e[i]);
}

/* A place that was taken in time does not help. */
static void a_job_may_come_too_late(void)
{
    struct workers *w = make_workers(1, 100, 10);
    struct workers_place place;
    struct errand first, late;
    struct str key = prepare(&late, NULL, 0);
    int64_t before = clock_wall();

    check_number(reserve(w, key, 1), WORKERS_ROOM);
    (void)make_down(w, &first);
    workers_submit(w, key, &late.job);
    check_number(workers_busy(w), 0);
    wait_done(w, 1);
    check(!late.job.carried_out && late.job.postponed > before + 50000);
    check_number(late.delivery.status.code, 454);
    check_number(number_of(&sink.connections), 0);
    check_number(reserve(w, key, 1), WORKERS_DOWN);
    finish(&first);
    finish(&late);
    key = prepare(&late, NULL, 0);
    let_pass(1000);
    check_number(workers_reserve(w, key, 1, clock_wall(), false, &place), WORKERS_ROOM);
    workers_submit(w, key, &late.job);
    wait_done(w, 1);
    check_number(places_of(w, key, 1), 10);
    finish(&late);
    let_pass_no_more(w);
}

static struct workers *make_workers_of_one_message(int64_t concurrency, int64_t dead_time)
{
    struct workers *w;

    conf.deliverd_dead_host_time = dead_time;
    conf.deliverd_connection_messages = 1;
    w = make_workers(concurrency, 100, 10);
    conf.deliverd_dead_host_time = 60000;
    conf.deliverd_connection_messages = 0;
    return w;
}

/* One answer, after which this many are at work. */
static void answer_one(int at_work)
{
    int answers = number_of(&sink.messages);

    let_go(&sink.answers, 1);
    await(&sink.messages, answers + 1);
    await(&sink.answers.held, at_work);
}

/* Workers who find that they are too many take no more jobs: 2 of 11 fail, and the window of 11 is one of 5.5. */
static void a_window_closes(void)
{
    enum { JOBS = 40 };
    struct workers *w = make_workers_of_one_message(20, 60000);
    struct errand e[JOBS];
    int sent;

    sink_reset();
    close_gate(&sink.answers);
    sent = fill(w, e, 0, JOBS);
    await(&sink.answers.held, 5);
    for (int at_work = 6; at_work <= 10; at_work++)
        answer_one(at_work);
    sent = fill(w, e, sent, JOBS);
    check_number(sent, JOBS);
    sink_sends_away(2);
    close_gate(&sink.greetings);
    let_go(&sink.answers, 1);
    await(&sink.greetings.held, 2); /* so that they began in the same window */
    let_all_go(&sink.greetings);
    await_done(w, 6 + 2);
    await(&sink.answers.held, 9);
    for (int at_work = 8; at_work >= 6; at_work--)
        answer_one(at_work);
    await_done(w, 3);
    lock_take(&sink.lock);
    sink.answers.most_held = 0;
    lock_release(&sink.lock);
    for (int i = 0; i < 4 && !test_failed(); i++) /* it is open for 6.7 then */
        answer_one(6);
    check_number(number_of(&sink.answers.most_held), 6);
    let_all_go(&sink.answers);
    wait_done(w, JOBS - 11);
    for (int i = 0; i < sent; i++)
        finish(&e[i]);
}

/* Jobs that hang from before do not hold up the probe. */
static void a_probe_does_not_wait(void)
{
    struct workers *w = make_workers_of_one_message(20, 60000);
    struct errand hanging, failing[5], probe;
    struct job *done = NULL;
    int64_t deadline;
    struct str key;

    sink_reset();
    close_gate(&sink.answers);
    submit_of(w, 1, &hanging);
    await(&sink.answers.held, 1);
    sink_sends_away(5);
    open_gate(&sink.answers);
    close_gate(&sink.greetings);
    for (int i = 0; i < 5; i++)
        submit_of(w, 1, &failing[i]);
    await(&sink.greetings.held, 4);
    let_all_go(&sink.greetings);
    await_done(w, 5);
    for (int i = 0; i < 5; i++) {
        check(failing[i].job.hop_failed);
        finish(&failing[i]);
    }
    key = prepare(&probe, NULL, 0);
    check_number(reserve(w, key, 1), WORKERS_DOWN);
    let_pass(70000);
    submit(w, key, &probe);
    deadline = clock_now() + PATIENCE_MS;
    while ((done = workers_take_done(w)) == NULL && clock_now() < deadline)
        poll(NULL, 0, 5);
    check(done == &probe.job && done->next == NULL);
    check_number(probe.delivery.status.code, 250);
    check_number(number_of(&sink.answers.held), 1);
    let_all_go(&sink.answers);
    wait_done(w, 1);
    finish(&hanging);
    finish(&probe);
    let_pass_no_more(w);
}

static void one_job_is_the_probe(void)
{
    struct workers *w = make_workers_of_one_message(20, 60000);
    struct workers_place place = {.room = WORKERS_ROOM};
    struct errand down, failing, probe, next;
    struct str key;
    int64_t before;

    for (int i = 0; i < 3; i++) { /* 5, 2, 1 */
        key = make_down(w, &down);
        finish(&down);
    }
    key = prepare(&failing, NULL, 0);
    check_number(reserve(w, key, 1), WORKERS_DOWN);
    let_pass(70000);
    before = clock_wall();
    check_number(reserve(w, key, 1), WORKERS_ROOM);
    check_number(workers_reserve(w, key, 2, 0, false, &place), WORKERS_DOWN);
    check(place.probing); /* soon it is known */
    let_pass(20000);
    check_number(workers_reserve(w, key, 2, 0, false, &place), WORKERS_DOWN);
    check(!place.probing);
    check(place.until >= before + 30000 && place.until <= clock_wall() + 20000 + (clock_wall() - before));
    workers_give_up(w, key, 1); /* then another is the probe */
    sink_greets("554 go away\r\n");
    submit(w, key, &failing);
    wait_done(w, 1);
    check(failing.job.hop_failed);
    sink_reset();
    key = prepare(&probe, NULL, 0);
    let_pass(70000);
    check_number(reserve(w, key, 1), WORKERS_DOWN); /* for twice the time */
    let_pass(70000);
    submit(w, key, &probe);
    wait_done(w, 1);
    check_number(probe.delivery.status.code, 250);
    key = prepare(&next, NULL, 0);
    check_number(places_of(w, key, 1), 18);
    finish(&failing);
    finish(&probe);
    finish(&next);
    let_pass_no_more(w);
}

/* An administrator asked for it; what is remembered of the host's address does not stop a probe. */
static void a_flush_is_a_probe(void)
{
    struct hosts *forgetful = context.hosts;
    struct host host = {.address = &sink.address};
    struct status why = status_make(451, "4.4.1", "dead");
    struct workers_place place;
    struct workers *w;
    struct errand first, second;
    int64_t before = clock_wall();
    struct str key;

    context.hosts = hosts_new(86400000);
    w = make_workers(1, 100, 10);
    sink_reset();
    let_pass(1000);
    hosts_mark_dead(context.hosts, &host, &why);
    submit(w, prepare(&first, NULL, 0), &first);
    wait_done(w, 1);
    check_text(first.delivery.status.text, "dead");
    key = prepare(&second, NULL, 0);
    check_number(workers_reserve(w, key, 1, before, false, &place), WORKERS_DOWN);
    let_pass(1000);
    check_number(workers_reserve(w, key, 1, clock_wall(), false, &place), WORKERS_ROOM);
    workers_submit(w, key, &second.job);
    wait_done(w, 1);
    check_number(second.delivery.status.code, 250);
    check_number(reserve(w, key, 1), WORKERS_ROOM);
    context.hosts = forgetful;
    finish(&first);
    finish(&second);
    let_pass_no_more(w);
}

/* A connection that was closed while it lay idle, and a refusal of the mail, say nothing against the hop. */
static void answers_are_no_failures(void)
{
    struct workers *w = make_workers(1, 100, 60000);
    struct errand e;

    for (int i = 0; i < 3; i++) {
        sink_reset();
        submit(w, prepare(&e, NULL, 0), &e);
        wait_done(w, 1);
        check(e.job.hop_answered && !e.job.hop_failed);
        check_number(e.delivery.status.code, 250);
        finish(&e);
        lock_take(&sink.lock);
        shutdown(sink.last_fd, SHUT_RDWR);
        lock_release(&sink.lock);
    }
    workers_stop(w);
}

/* What is known of hops that do nothing is bounded; the oldest is forgotten. */
static void thousands_of_hops_are_remembered(void)
{
    enum { HOPS = 4126, KEPT = 4096, THREADS = 100 };
    struct workers *w = make_workers_of_one_message(1, 86400000);
    char key[40];
    struct errand e;
    int forgotten = 0;

    sink_reset();
    for (int i = 0; i < HOPS; i++) {
        (void)prepare(&e, "127.0.0.3", 1);
        e.job.plan.count = 1;
        snprintf(key, sizeof key, "hop %d", i);
        submit(w, str_of(key), &e);
        while (workers_take_done(w) == NULL)
            poll(&(struct pollfd){.fd = workers_done_fd(w), .events = POLLIN}, 1, 1000);
        finish(&e);
        if (test_failed())
            return;
    }
    for (int i = HOPS - 20; i < HOPS; i++) {
        snprintf(key, sizeof key, "hop %d", i);
        check_number(reserve(w, str_of(key), 1), WORKERS_DOWN);
    }
    for (int i = 0; i < HOPS - KEPT + THREADS; i++) {
        snprintf(key, sizeof key, "hop %d", i);
        forgotten += reserve(w, str_of(key), 1) == WORKERS_ROOM;
    }
    /* A hop is as old as the end of its thread, which is about to come when its job is done. */
    check(forgotten > 0 && forgotten <= HOPS - KEPT);
}

/* A next hop that comes and goes, by six names: every job comes back once, and at the end all places are free. */
static void whatever_happens_all_comes_back(void)
{
    enum { JOBS = 1500, HOPS = 6 };
    static struct errand e[JOBS];
    struct workers *w;
    char key[40];
    unsigned random = 1;
    int sent = 0, done = 0, answered = 0, postponed = 0, downs = 0;
    int64_t deadline = clock_now() + 120000;

    w = make_workers_of_one_message(8, 20);
    sink_reset();
    while ((done < sent || sent < JOBS) && clock_now() < deadline) {
        struct workers_place place = {.room = WORKERS_ALL_FULL};

        random = random * 1103515245 + 12345;
        if ((random >> 16) % 40 < 2)
            sink_greets((random >> 16) % 40 == 0 ? "554 go away\r\n" : "220 sink\r\n");
        snprintf(key, sizeof key, "hop %u", (random >> 24) % HOPS);
        if (sent < JOBS) {
            e[sent].job.flow = (random >> 20) % 4;
            (void)workers_reserve(w, str_of(key), e[sent].job.flow, (random >> 22) % 50 == 0 ? clock_wall() : 0, false, &place);
        }
        downs += place.room == WORKERS_DOWN;
        if (place.room == WORKERS_ROOM && (random >> 22) % 7 == 0) {
            workers_give_up(w, str_of(key), e[sent].job.flow);
        } else if (place.room == WORKERS_ROOM) {
            int64_t flow = e[sent].job.flow;

            (void)prepare(&e[sent], NULL, 0);
            e[sent].job.flow = flow;
            workers_submit(w, str_of(key), &e[sent++].job);
        } else {
            poll(&(struct pollfd){.fd = workers_done_fd(w), .events = POLLIN}, 1, 2);
        }
        for (struct job *job = workers_take_done(w); job != NULL; job = job->next, done++) {
            answered += job->hop_answered;
            postponed += job->postponed > 0;
            check(job->carried_out == (job->postponed == 0));
        }
    }
    check_number(sent, JOBS);
    check_number(done, JOBS);
    if (!check(answered > 100 && postponed > 0 && downs > 0))
        printf("# %d answered, %d postponed, %d refused\n", answered, postponed, downs);
    check_number(workers_busy(w), 0);
    check_number(places_of(w, STR("another"), 1), 18); /* as if nothing had been */
    for (int i = 0; i < sent; i++)
        finish(&e[i]);
    sink_reset();
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
    TEST_CASE(senders_take_turns),
    TEST_CASE(senders_share_the_places_of_a_hop),
    TEST_CASE(a_sender_without_a_place_gets_one),
    TEST_CASE(a_window_opens),
    TEST_CASE(a_hop_that_fails_is_left_alone),
    TEST_CASE(a_job_may_come_too_late),
    TEST_CASE(a_window_closes),
    TEST_CASE(a_probe_does_not_wait),
    TEST_CASE(one_job_is_the_probe),
    TEST_CASE(a_flush_is_a_probe),
    TEST_CASE(answers_are_no_failures),
    TEST_CASE(thousands_of_hops_are_remembered),
    TEST_CASE(whatever_happens_all_comes_back),
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
    conf.deliverd_dead_host_time = 60000;
    clock_use(&test_clock);
    sink_open();
    status = test_main(cases, TEST_COUNT(cases), argc, argv);
    sink_reset();
    place_close(&place);
    return status;
}

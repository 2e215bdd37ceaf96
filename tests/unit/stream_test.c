#include "test.h"

#include "base/clock.h"
#include "base/stop.h"
#include "net/listener.h"
#include "net/stream.h"

#include "place.h"

static int peer;
static struct stream s;

static bool has_input(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};

    return poll(&p, 1, 0) > 0;
}

/* RFC 2920 section 3.2: what is put waits until the stream would block for input. */
static void output_goes_before_a_wait_and_not_earlier(void)
{
    struct buf got = {0};

    pair_stream(&s, &peer);
    stream_put(&s, STR("one "));
    stream_put(&s, STR("two"));
    check(!has_input(peer));
    pair_send(peer, STR("x"));
    check(stream_fill(&s, 100));
    check_str(stream_input(&s), STR("x"));
    pair_receive(peer, 0, &got);
    check_text(buf_text(&got), "one two");
    buf_clear(&got);
    stream_put(&s, STR("three"));
    check(stream_flush(&s));
    pair_receive(peer, 0, &got);
    check_text(buf_text(&got), "three");
    buf_done(&got);
    pair_close(&s, &peer);
}

static void input_stays_until_it_is_consumed(void)
{
    pair_stream(&s, &peer);
    pair_send(peer, STR("abc"));
    check(stream_fill(&s, 100));
    stream_consume(&s, 1);
    check_str(stream_input(&s), STR("bc"));
    pair_send(peer, STR("def"));
    check(stream_fill(&s, 100));
    check_str(stream_input(&s), STR("bcdef"));
    stream_consume(&s, 5);
    check_number(stream_input(&s).length, 0);
    pair_close(&s, &peer);
}

static void large_input_arrives_in_order(void)
{
    enum { TOTAL = 300000 };
    static char sent[TOTAL];
    size_t seen = 0, offset = 0;
    bool same = true;

    for (size_t i = 0; i < TOTAL; i++)
        sent[i] = (char)(i * 31 % 251);
    pair_stream(&s, &peer);
    while (seen < TOTAL && same) {
        size_t step = TOTAL - offset < 50000 ? TOTAL - offset : 50000;
        struct str input;

        pair_send(peer, (struct str){sent + offset, step});
        offset += step;
        while (seen < offset && same) {
            size_t use;

            if (!check(stream_fill(&s, 100000)))
                break;
            input = stream_input(&s);
            use = input.length > 7 ? input.length - input.length % 7 : input.length;
            same = memcmp(input.data, sent + seen, use) == 0;
            stream_consume(&s, use);
            seen += use;
            if (seen + stream_input(&s).length == offset) {
                seen += stream_input(&s).length;
                stream_consume(&s, stream_input(&s).length);
            }
        }
    }
    check(same);
    check_number(seen, TOTAL);
    pair_close(&s, &peer);
}

static void unconsumed_input_is_bounded(void)
{
    pair_stream(&s, &peer);
    pair_send(peer, STR("0123456789"));
    check(stream_fill(&s, 10));
    check_number(stream_input(&s).length, 10);
    check(!stream_fill(&s, 10));
    check_number(s.fault, STREAM_ERROR);
    check_number(s.error, ENOBUFS);
    check_text(stream_fault_text(&s), "No buffer space available");
    pair_close(&s, &peer);
}

static void faults_stick(void)
{
    pair_stream(&s, &peer);
    pair_send(peer, STR("last"));
    close(peer);
    peer = -1;
    check(stream_fill(&s, 100));
    check_str(stream_input(&s), STR("last"));
    check(!stream_fill(&s, 100));
    check_number(s.fault, STREAM_CLOSED);
    check_text(stream_fault_text(&s), "connection closed by peer");
    check(!stream_fill(&s, 100));
    check(!stream_flush(&s));
    stream_put(&s, STR("x"));
    check_number(s.output.length, 0);
    check_number(s.fault, STREAM_CLOSED);
    /* What had come is still there. */
    check_str(stream_input(&s), STR("last"));
    pair_close(&s, &peer);
}

static void writing_to_nobody_is_a_fault_and_no_signal(void)
{
    pair_stream(&s, &peer);
    close(peer);
    peer = -1;
    stream_put(&s, STR("x"));
    check(!stream_flush(&s));
    check_number(s.fault, STREAM_CLOSED);
    pair_close(&s, &peer);
}

static void reading_times_out(void)
{
    int64_t before = clock_now();

    pair_stream(&s, &peer);
    s.deadline = before + 30;
    check(!stream_fill(&s, 100));
    check_number(s.fault, STREAM_TIMEOUT);
    check_text(stream_fault_text(&s), "timed out");
    check(clock_now() >= before + 30 && clock_now() < before + 2000);
    pair_close(&s, &peer);
    /* A deadline that has passed does not hide what is there already. */
    pair_stream(&s, &peer);
    pair_send(peer, STR("x"));
    s.deadline = clock_now() - 1;
    check(stream_fill(&s, 100));
    pair_close(&s, &peer);
}

static void writing_times_out(void)
{
    static char block[65536];

    pair_stream(&s, &peer);
    s.deadline = clock_now() + 30;
    for (int i = 0; i < 1000 && s.fault == STREAM_FINE; i++)
        stream_put(&s, (struct str){block, sizeof block});
    check_number(s.fault, STREAM_TIMEOUT);
    check(s.output.capacity < 1 << 20);
    pair_close(&s, &peer);
}

static void finishing_lets_the_last_words_arrive(void)
{
    struct buf got = {0};

    pair_stream(&s, &peer);
    pair_send(peer, STR("what nobody reads"));
    stream_put(&s, STR("221 bye\r\n"));
    shutdown(peer, SHUT_WR);
    stream_finish(&s, clock_now() + 1000);
    stream_done(&s);
    pair_receive(peer, 0, &got);
    check_text(buf_text(&got), "221 bye\r\n");
    buf_done(&got);
    pair_close(&s, &peer);
    /* A peer that stays is waited for no longer than the deadline. */
    pair_stream(&s, &peer);
    int64_t before = clock_now();
    stream_finish(&s, before + 50);
    check(clock_now() < before + 2000);
    pair_close(&s, &peer);
}

static void connecting(void)
{
    struct address listening, from, got;
    struct stream c;
    int listener, fd;

    listener = listen_at_free_port(&listening);
    check(listening.port != 0);
    check_number(listener_accept(listener, &got), -1);
    check(errno == EAGAIN || errno == EWOULDBLOCK);
    check(address_parse(&from, STR("127.0.0.2")));
    check(stream_connect(&c, &listening, &from, clock_now() + 3000));
    check(address_equal(&c.local, &from) && c.local.port != 0);
    check(address_equal(&c.peer, &listening));
    fd = listener_accept(listener, &got);
    check(fd >= 0 && address_equal(&got, &from));
    check((fcntl(fd, F_GETFL) & O_NONBLOCK) != 0);
    stream_done(&c);
    close(fd);
    close(listener);
    check(!stream_connect(&c, &listening, NULL, clock_now() + 3000));
    check_number(c.fault, STREAM_ERROR);
    check_number(c.error, ECONNREFUSED);
    check_number(c.fd, -1);
    check_has(stream_fault_text(&c), "refused");
    stream_done(&c);
    check(address_parse(&from, STR("192.0.2.77")));
    check(!stream_connect(&c, &listening, &from, clock_now() + 3000));
    check_number(c.error, EADDRNOTAVAIL);
    stream_done(&c);
}

/* Last: the stop is the process's, and seen for ever. */
static void a_stop_ends_waits(void)
{
    int64_t before;

    check(stop_open(-1, 100));
    pair_stream(&s, &peer);
    s.heed_stop = true;
    stop_begin();
    before = clock_now();
    check(!stream_fill(&s, 100));
    check_number(s.fault, STREAM_STOPPED);
    check(clock_now() < before + 90);
    pair_close(&s, &peer);
    /* Work that does not heed it has the grace, */
    pair_stream(&s, &peer);
    s.deadline = CLOCK_NEVER;
    check(!stream_fill(&s, 100));
    check_number(s.fault, STREAM_STOPPED);
    check(clock_now() >= stop_deadline() && clock_now() < before + 2000);
    pair_close(&s, &peer);
    /* and what is there can still be read. */
    pair_stream(&s, &peer);
    pair_send(peer, STR("x"));
    check(stream_fill(&s, 100));
    pair_close(&s, &peer);
}

static const struct test_case cases[] = {
    TEST_CASE(output_goes_before_a_wait_and_not_earlier),
    TEST_CASE(input_stays_until_it_is_consumed),
    TEST_CASE(large_input_arrives_in_order),
    TEST_CASE(unconsumed_input_is_bounded),
    TEST_CASE(faults_stick),
    TEST_CASE(writing_to_nobody_is_a_fault_and_no_signal),
    TEST_CASE(reading_times_out),
    TEST_CASE(writing_times_out),
    TEST_CASE(finishing_lets_the_last_words_arrive),
    TEST_CASE(connecting),
    TEST_CASE(a_stop_ends_waits),
};

int main(int argc, char **argv)
{
    return test_main(cases, TEST_COUNT(cases), argc, argv);
}

#include "test.h"

#include "base/clock.h"
#include "smtp/line.h"

#include "place.h"

static int peer;
static struct stream s;

static void expect(size_t max, enum line_result result, struct str text)
{
    struct str line = STR("");

    if (check_number(line_read(&s, max, &line), result) && (result == LINE_READ || result == LINE_BARE_LF))
        check_str(line, text);
}

static void lines_end_in_crlf(void)
{
    pair_stream(&s, &peer);
    pair_send(peer, STR("one\r\n\r\ntwo three\r\n\0four\r\na\rb\r\n\r\r\n"));
    expect(100, LINE_READ, STR("one"));
    expect(100, LINE_READ, STR(""));
    expect(100, LINE_READ, STR("two three"));
    expect(100, LINE_READ, STR("\0four"));
    expect(100, LINE_READ, STR("a\rb"));
    expect(100, LINE_READ, STR("\r"));
    shutdown(peer, SHUT_WR);
    expect(100, LINE_FAULT, STR(""));
    check_number(s.fault, STREAM_CLOSED);
    pair_close(&s, &peer);
}

static void bare_newlines_are_told(void)
{
    pair_stream(&s, &peer);
    pair_send(peer, STR("a\nb\r\n\nc\r\n\n\n"));
    expect(100, LINE_BARE_LF, STR("a"));
    expect(100, LINE_READ, STR("b"));
    expect(100, LINE_BARE_LF, STR(""));
    expect(100, LINE_READ, STR("c"));
    expect(100, LINE_BARE_LF, STR(""));
    expect(100, LINE_BARE_LF, STR(""));
    pair_close(&s, &peer);
}

static void pieces_of_any_size(void)
{
    static const char text[] = "abc\r\nde\nf\r\n";

    for (size_t cut = 0; cut <= sizeof text - 1; cut++) {
        pair_stream(&s, &peer);
        pair_send(peer, (struct str){text, cut});
        if (cut > 0)
            check(stream_fill(&s, 100));
        pair_send(peer, (struct str){text + cut, sizeof text - 1 - cut});
        expect(100, LINE_READ, STR("abc"));
        expect(100, LINE_BARE_LF, STR("de"));
        expect(100, LINE_READ, STR("f"));
        pair_close(&s, &peer);
    }
}

/* MAX counts the end of the line. */
static void the_bound_is_exact(void)
{
    pair_stream(&s, &peer);
    pair_send(peer, STR("12345678\r\n123456789\r\n1234567890123456789012345678901234567890\r\nx\r\n123456789\n1234567890\ny\r\n"));
    expect(10, LINE_READ, STR("12345678"));
    expect(10, LINE_TOO_LONG, STR(""));
    expect(10, LINE_TOO_LONG, STR(""));
    expect(10, LINE_READ, STR("x"));
    expect(10, LINE_BARE_LF, STR("123456789"));
    pair_close(&s, &peer);
}

static void long_lines_are_swallowed_whole(void)
{
    static char block[10000];

    memset(block, 'x', sizeof block);
    pair_stream(&s, &peer);
    for (int i = 0; i < 5; i++)
        pair_send(peer, (struct str){block, sizeof block});
    pair_send(peer, STR("\r\nnext\r\n"));
    expect(512, LINE_TOO_LONG, STR(""));
    check(s.capacity <= LINE_SWALLOW_MAX);
    expect(512, LINE_READ, STR("next"));
    pair_close(&s, &peer);
}

/* A bare LF does not end a line, so what stands behind one in a line that is too long is no command either. */
static void what_follows_a_bare_newline_in_a_long_line_is_part_of_it(void)
{
    static char block[1000];
    struct str line;
    enum line_result result;

    memset(block, 'x', sizeof block);
    pair_stream(&s, &peer);
    pair_send(peer, (struct str){block, sizeof block});
    pair_send(peer, STR("\nNOOP\r\nnext\r\n"));
    result = line_read(&s, 512, &line);
    check(result == LINE_TOO_LONG || result == LINE_BARE_LF);
    /* Either it went with the rest, or the caller was told to mistrust it. */
    if (result == LINE_TOO_LONG)
        expect(512, LINE_READ, STR("next"));
    pair_close(&s, &peer);
}

static void endless_lines_are_a_fault(void)
{
    int pid;

    pair_stream(&s, &peer);
    fflush(stdout);
    pid = fork();
    if (pid == 0) {
        static char block[65536];

        memset(block, 'x', sizeof block);
        stream_done(&s);
        for (int i = 0; i < 40; i++)
            pair_send(peer, (struct str){block, sizeof block});
        _exit(0);
    }
    expect(512, LINE_ENDLESS, STR(""));
    check(s.capacity <= 2 * LINE_SWALLOW_MAX);
    pair_close(&s, &peer);
}

static const struct test_case cases[] = {
    TEST_CASE(lines_end_in_crlf),
    TEST_CASE(bare_newlines_are_told),
    TEST_CASE(pieces_of_any_size),
    TEST_CASE(the_bound_is_exact),
    TEST_CASE(long_lines_are_swallowed_whole),
    TEST_CASE(what_follows_a_bare_newline_in_a_long_line_is_part_of_it),
    TEST_CASE(endless_lines_are_a_fault),
};

int main(int argc, char **argv)
{
    return test_main(cases, TEST_COUNT(cases), argc, argv);
}

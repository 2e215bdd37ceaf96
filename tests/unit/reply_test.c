#include "test.h"

#include "base/clock.h"
#include "smtp/reply.h"

#include "place.h"

static int peer;
static struct stream s;

/* RFC 5321 section 4.2: code, then a space and text, a hyphen when lines follow, or nothing. */
static void lines_are_parsed(void)
{
    static const struct {
        struct str line;
        bool good;
        int code;
        bool more;
        const char *text;
    } table[] = {
        {{"250 ok", 6}, true, 250, false, "ok"}, {{"250-more", 8}, true, 250, true, "more"}, {{"250", 3}, true, 250, false, ""}, {{"250 ", 4}, true, 250, false, ""},
        {{"250-", 4}, true, 250, true, ""}, {{"599 x", 5}, true, 599, false, "x"}, {{"200 x", 5}, true, 200, false, "x"},
        {{"250  two", 8}, true, 250, false, " two"}, {{"", 0}, false, 0, false, NULL}, {{"2", 1}, false, 0, false, NULL}, {{"25", 2}, false, 0, false, NULL},
        {{"25 0 x", 6}, false, 0, false, NULL}, {{"2500 x", 6}, false, 0, false, NULL}, {{"250x", 4}, false, 0, false, NULL}, {{"250\tx", 5}, false, 0, false, NULL},
        {{"600 x", 5}, false, 0, false, NULL}, {{"199 x", 5}, false, 0, false, NULL}, {{"000 x", 5}, false, 0, false, NULL}, {{"-50 x", 5}, false, 0, false, NULL},
        {{"+50 x", 5}, false, 0, false, NULL}, {{" 250 x", 6}, false, 0, false, NULL}, {{"2\0000 x", 5}, false, 0, false, NULL}, {{"HTTP/1.1 200", 12}, false, 0, false, NULL},
        {{"\xb2\xb3\xb0 x", 5}, false, 0, false, NULL},
    };

    for (size_t i = 0; i < TEST_COUNT(table); i++) {
        /* Exactly as long as it is, for the sanitizer's eyes. */
        char *exact = malloc(table[i].line.length + 1);
        int code = 0;
        bool more = false;
        struct str text = STR("");
        bool good;

        memcpy(exact, table[i].line.data, table[i].line.length);
        good = reply_parse_line((struct str){exact, table[i].line.length}, &code, &more, &text);
        if (!check(good == table[i].good))
            printf("#   row %zu\n", i);
        if (good) {
            check_number(code, table[i].code);
            check(more == table[i].more);
            check_str(text, str_of(table[i].text));
        }
        free(exact);
    }
}

struct seen {
    struct buf lines;
    int count;
};

static void see(void *context, struct str text)
{
    struct seen *seen = context;

    seen->count++;
    buf_add(&seen->lines, text);
    buf_add_byte(&seen->lines, '|');
}

static enum reply_result read_from(struct str bytes, struct status *status, struct seen *seen)
{
    enum reply_result result;

    pair_stream(&s, &peer);
    pair_send(peer, bytes);
    shutdown(peer, SHUT_WR);
    result = reply_read(&s, status, see, seen);
    return result;
}

static void replies_are_read(void)
{
    static const struct {
        const char *bytes;
        enum reply_result result;
        int code, class;
        const char *text, *lines;
    } table[] = {
        {"250 ok\r\n", REPLY_READ, 250, 0, "ok", "ok|"},
        {"250\r\n", REPLY_READ, 250, 0, "", "|"},
        {"250 2.0.0 Ok: queued\r\n", REPLY_READ, 250, 2, "Ok: queued", "2.0.0 Ok: queued|"},
        {"550-5.1.1 No such\r\n550 5.1.1 user\r\n", REPLY_READ, 550, 5, "No such user", "5.1.1 No such|5.1.1 user|"},
        {"250-one\r\n250-\r\n250 two\r\n", REPLY_READ, 250, 0, "one two", "one||two|"},
        {"250-one\r\n250\r\n", REPLY_READ, 250, 0, "one", "one||"},
        {"550 5.1.1\r\n", REPLY_READ, 550, 5, "", "5.1.1|"},
        {"550 a\x1b[2J\rb\r\n", REPLY_READ, 550, 0, "a?[2J?b", "a\x1b[2J\rb|"},
        {"250-one\r\n251 two\r\n", REPLY_MALFORMED, 0, 0, NULL, NULL},
        {"250-one\r\nNo code\r\n", REPLY_MALFORMED, 0, 0, NULL, NULL},
        {"HTTP/1.1 200 OK\r\n", REPLY_MALFORMED, 0, 0, NULL, NULL},
        {"\r\n", REPLY_MALFORMED, 0, 0, NULL, NULL},
        {"700 x\r\n", REPLY_MALFORMED, 0, 0, NULL, NULL},
        {"250-one\r\n", REPLY_FAULT, 0, 0, NULL, NULL},
        {"250 unfinished", REPLY_FAULT, 0, 0, NULL, NULL},
        {"", REPLY_FAULT, 0, 0, NULL, NULL},
    };

    for (size_t i = 0; i < TEST_COUNT(table); i++) {
        struct status status;
        struct seen seen = {0};

        if (!check_number(read_from(str_of(table[i].bytes), &status, &seen), table[i].result))
            printf("#   row %zu\n", i);
        if (table[i].result == REPLY_READ) {
            check_number(status.code, table[i].code);
            check_number(status.class, table[i].class);
            check_text(status.text, table[i].text);
            check_text(buf_text(&seen.lines), table[i].lines);
        }
        buf_done(&seen.lines);
        pair_close(&s, &peer);
    }
}

static void one_reply_at_a_time(void)
{
    struct status status;

    pair_stream(&s, &peer);
    pair_send(peer, STR("250-a\r\n250 b\r\n550 c\r\n354 d\r\n"));
    check_number(reply_read(&s, &status, NULL, NULL), REPLY_READ);
    check_text(status.text, "a b");
    check_number(reply_read(&s, &status, NULL, NULL), REPLY_READ);
    check_number(status.code, 550);
    check_text(status.text, "c");
    check_number(reply_read(&s, &status, NULL, NULL), REPLY_READ);
    check_number(status.code, 354);
    pair_close(&s, &peer);
}

static enum reply_result read_lines(size_t count, size_t length, struct status *status, int *seen_count)
{
    struct buf bytes = {0};
    struct seen seen = {0};
    enum reply_result result;
    int pid;

    for (size_t i = 0; i < count; i++) {
        buf_print(&bytes, "250%c", i + 1 < count ? '-' : ' ');
        for (size_t k = 4; k < length; k++)
            buf_add_byte(&bytes, 'x');
        buf_add_text(&bytes, "\r\n");
    }
    pair_stream(&s, &peer);
    fflush(stdout);
    pid = fork();
    if (pid == 0) {
        stream_done(&s);
        pair_send(peer, buf_str(&bytes));
        _exit(0);
    }
    close(peer);
    peer = -1;
    result = reply_read(&s, status, see, &seen);
    *seen_count = seen.count;
    buf_done(&seen.lines);
    buf_done(&bytes);
    pair_close(&s, &peer);
    return result;
}

static void bounds_hold(void)
{
    struct status status;
    int count;

    check_number(read_lines(REPLY_LINES_MAX, 10, &status, &count), REPLY_READ);
    check_number(count, REPLY_LINES_MAX);
    check_number(strlen(status.text), STATUS_TEXT_SIZE - 1);
    check_number(read_lines(REPLY_LINES_MAX + 1, 10, &status, &count), REPLY_TOO_BIG);
    check_number(read_lines(1, REPLY_LINE_MAX - 2, &status, &count), REPLY_READ);
    check_number(read_lines(1, REPLY_LINE_MAX - 1, &status, &count), REPLY_TOO_BIG);
    check_number(read_lines(REPLY_OCTETS_MAX / 4000 - 1, 4000, &status, &count), REPLY_READ);
    check_number(read_lines(REPLY_OCTETS_MAX / 4000 + 1, 4000, &status, &count), REPLY_TOO_BIG);
    check_number(read_lines(1, 2000000, &status, &count), REPLY_TOO_BIG);
}

static void one_status_is_one_line(void)
{
    static const struct {
        int code;
        const char *enhanced, *text, *line;
    } table[] = {
        {550, "5.1.1", "No such user", "550 5.1.1 No such user\r\n"},
        {250, "", "ok", "250 ok\r\n"},
        {250, "2.0.0", "", "250 2.0.0 \r\n"},
        {451, "4.3.0", "a\r\n250 ok\n\x1b", "451 4.3.0 a??250 ok??\r\n"},
    };

    for (size_t i = 0; i < TEST_COUNT(table); i++) {
        struct status status = status_make(table[i].code, table[i].enhanced, "%s", table[i].text), back;
        struct buf got = {0};

        pair_stream(&s, &peer);
        reply_put(&s, &status);
        check(stream_flush(&s));
        pair_receive(peer, 0, &got);
        check_text(buf_text(&got), table[i].line);
        pair_send(peer, buf_str(&got));
        check_number(reply_read(&s, &back, NULL, NULL), REPLY_READ);
        check_number(back.code, status.code);
        check_number(back.class, status.class);
        check_text(back.text, status.text);
        buf_done(&got);
        pair_close(&s, &peer);
    }
    /* The longest text is not cut. */
    struct status status = {.code = 550, .class = 5, .subject = 999, .detail = 999};
    struct buf got = {0};
    memset(status.text, 'x', sizeof status.text - 1);
    pair_stream(&s, &peer);
    reply_put(&s, &status);
    stream_flush(&s);
    pair_receive(peer, 0, &got);
    check_number(got.length, 4 + 10 + STATUS_TEXT_SIZE - 1 + 2);
    check(str_ends(buf_str(&got), STR("x\r\n")));
    buf_done(&got);
    pair_close(&s, &peer);
}

static const struct test_case cases[] = {
    TEST_CASE(lines_are_parsed),
    TEST_CASE(replies_are_read),
    TEST_CASE(one_reply_at_a_time),
    TEST_CASE(bounds_hold),
    TEST_CASE(one_status_is_one_line),
};

int main(int argc, char **argv)
{
    return test_main(cases, TEST_COUNT(cases), argc, argv);
}

#include "test.h"

#include "base/clock.h"
#include "base/errand.h"

#include "place.h"

static struct buf packet;
static char room[ERRAND_SIZE];

static struct errand pipe_errand(void)
{
    struct errand e = {.kind = ERRAND_PIPE, .sender = STR(""), .recipient = STR("a@b"), .original = STR("-c d\n@\xff"),
                       .message = -1, .errors = -1, .result = -1};

    e.words[e.count++] = STR("/bin/cat");
    e.words[e.count++] = STR("-x");
    e.words[e.count++] = STR("");
    e.words[e.count++] = STR("a \"b\" 'c'\n\xfe");
    return e;
}

static bool write_errand(const struct errand *e)
{
    buf_done(&packet);
    packet = (struct buf){0};
    return errand_write(e, &packet);
}

static void words_come_back_as_they_were(void)
{
    struct errand e = pipe_errand(), back;

    check(write_errand(&e) && errand_parse(buf_str(&packet), &back));
    check_number(back.kind, ERRAND_PIPE);
    check_str(back.sender, e.sender);
    check_str(back.recipient, e.recipient);
    check_str(back.original, e.original);
    check_number(back.count, e.count);
    for (size_t i = 0; i < e.count && !test_failed(); i++) {
        check_str(back.words[i], e.words[i]);
        check_number(back.words[i].data[back.words[i].length], 0);
    }
    check(back.message == -1 && back.errors == -1 && back.result == -1);
    e = (struct errand){.kind = ERRAND_LDA, .sender = STR("a@b"), .recipient = STR("c@d"), .original = STR("")};
    check(write_errand(&e) && errand_parse(buf_str(&packet), &back));
    check_number(back.kind, ERRAND_LDA);
    check_number(back.count, 0);
    check_str(back.recipient, e.recipient);
}

static void what_cannot_be_said_is_not_written(void)
{
    struct errand e = pipe_errand();
    static char large[ERRAND_SIZE];

    memset(large, 'x', sizeof large);
    e.words[1] = STR("a\0b");
    check(!write_errand(&e));
    e = pipe_errand();
    e.sender = STR("\0");
    check(!write_errand(&e));
    e = pipe_errand();
    e.words[1] = (struct str){large, sizeof large};
    check(!write_errand(&e));
    e.count = 0;
    check(!write_errand(&e));
    e.count = ERRAND_WORDS + 1;
    check(!write_errand(&e));
    e = (struct errand){.kind = ERRAND_LDA, .recipient = STR("a"), .count = 1};
    check(!write_errand(&e));
}

static void packets_that_are_none_are_refused(void)
{
    const struct str none[] = {
        STR(""), STR("P"), STR("X\0\0\0a\0"), STR("L\0\0\0"), STR("La\0b\0c\0d\0"), STR("Pa\0b\0c\0"), STR("Pa\0b\0c\0\0"),
        STR("Pa\0b\0c\0d"), STR("La\0b\0c"), STR("\0"), STR("l\0a\0\0"), STR("P\0\0\0\0a\0"),
    };
    struct buf many = {0};
    struct errand e;

    for (size_t i = 0; i < TEST_COUNT(none); i++)
        if (!check(!errand_parse(none[i], &e)))
            printf("#   number %zu\n", i);
    buf_add(&many, STR("Pa\0b\0c\0"));
    for (int i = 0; i < ERRAND_WORDS; i++)
        buf_add(&many, STR("w\0"));
    check(errand_parse(buf_str(&many), &e));
    check_number(e.count, ERRAND_WORDS);
    buf_add(&many, STR("w\0"));
    check(!errand_parse(buf_str(&many), &e));
    buf_clear(&many);
    buf_add(&many, STR("Pa\0b\0c\0"));
    while (many.length < ERRAND_SIZE)
        buf_add_byte(&many, 'x');
    buf_add_byte(&many, '\0');
    check(!errand_parse(buf_str(&many), &e));
    buf_done(&many);
}

/* The wire */

static int ours, theirs; /* sending, receiving */

static void open_wire(void)
{
    int ends[2];

    check(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) == 0);
    ours = ends[0];
    theirs = ends[1];
}

static void close_wire(void)
{
    close(ours);
    close(theirs);
}

/* Descriptors that this process has. */
static int descriptors(void)
{
    int count = 0;

    for (int fd = 0; fd < 256; fd++)
        count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

/* Sends BYTES with COUNT descriptors. */
static bool send_raw(struct str bytes, const int *fds, size_t count)
{
    union {
        struct cmsghdr aligned;
        char bytes[CMSG_SPACE(8 * sizeof(int))];
    } control = {0};
    struct iovec piece = {(void *)(uintptr_t)bytes.data, bytes.length};
    struct msghdr m = {.msg_iov = &piece, .msg_iovlen = 1};

    if (count > 0) {
        m.msg_control = &control;
        m.msg_controllen = CMSG_SPACE(count * sizeof(int));
        control.aligned.cmsg_level = SOL_SOCKET;
        control.aligned.cmsg_type = SCM_RIGHTS;
        control.aligned.cmsg_len = CMSG_LEN(count * sizeof(int));
        memcpy(CMSG_DATA(&control.aligned), fds, count * sizeof(int));
    }
    return sendmsg(ours, &m, 0) == (ssize_t)bytes.length;
}

static void an_errand_brings_its_descriptors(void)
{
    struct errand e = pipe_errand(), got;
    struct errand_result result;
    int pair[2], errors[2], message[2];

    open_wire();
    check(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == 0 && pipe(errors) == 0 && pipe(message) == 0);
    e.message = message[0];
    e.errors = errors[1];
    e.result = pair[1];
    check(errand_send(ours, &e, clock_now() + 3000));
    errand_close(&e);
    check_number(errand_receive(theirs, room, &got), ERRAND_CAME);
    check_str(got.words[3], STR("a \"b\" 'c'\n\xfe"));
    check(got.message >= 0 && got.errors >= 0 && got.result >= 0);
    check((fcntl(got.message, F_GETFD) & FD_CLOEXEC) != 0 && (fcntl(got.result, F_GETFD) & FD_CLOEXEC) != 0);
    errand_answer(got.result, ERRAND_TIMED_OUT, 7);
    errand_close(&got);
    errand_close(&got);
    check(errand_hear(pair[0], &result));
    check_number(result.end, ERRAND_TIMED_OUT);
    check_number(result.detail, 7);
    check(!errand_hear(pair[0], &result)); /* the end */
    check_number(errand_receive(theirs, room, &got), ERRAND_NOTHING);
    close(pair[0]);
    close(errors[0]);
    close(message[1]);
    close(ours);
    check_number(errand_receive(theirs, room, &got), ERRAND_OVER);
    close(theirs);
}

static void what_is_malformed_is_answered_where_it_can_be_and_leaves_nothing_open(void)
{
    const struct str good = STR("Pa\0b\0c\0/bin/cat\0");
    int pair[2], file, stream[2], before;
    struct errand_result result;
    struct errand got;

    open_wire();
    check(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) == 0);
    check(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, stream) == 0);
    file = open("/dev/null", O_RDWR);
    before = descriptors();
    {
        const int three[] = {file, file, pair[1]}, wrong[] = {file, file, file}, streams[] = {file, file, stream[1]};
        const int many[] = {file, file, pair[1], file, file};
        static char large[ERRAND_SIZE + 100];
        const struct {
            struct str bytes;
            const int *fds;
            size_t count;
            bool answered;
        } table[] = {
            {STR("nonsense"), three, 3, true}, {STR("nonsense"), NULL, 0, false}, {good, NULL, 0, false},  {good, three, 2, false},
            {good, wrong, 3, false},           {good, streams, 3, false},         {good, many, 5, true}, {{large, sizeof large}, three, 3, true},
            {STR("\0"), wrong, 1, false},
        };

        for (size_t i = 0; i < TEST_COUNT(table); i++) {
            check(send_raw(table[i].bytes, table[i].fds, table[i].count));
            if (!check_number(errand_receive(theirs, room, &got), ERRAND_MALFORMED))
                printf("#   number %zu\n", i);
            check_number(errand_hear(pair[0], &result), table[i].answered);
            if (table[i].answered)
                check_number(result.end, ERRAND_REFUSED);
            check_number(descriptors(), before);
        }
        check(send_raw(good, three, 3));
    }
    check_number(errand_receive(theirs, room, &got), ERRAND_CAME);
    errand_close(&got);
    check_number(descriptors(), before);
    close(pair[0]);
    close(pair[1]);
    close(stream[0]);
    close(stream[1]);
    close(file);
    close_wire();
}

static void who_does_not_take_an_errand_is_not_waited_for_for_ever(void)
{
    struct errand e = pipe_errand();
    int pair[2], sent = 0;

    open_wire();
    check(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == 0);
    e.message = e.errors = e.result = pair[1];
    while (errand_send(ours, &e, clock_now()) && sent < 100000)
        sent++;
    check(errno == ETIMEDOUT || errno == ETOOMANYREFS);
    check(sent > 0 && sent < 100000);
    close(theirs);
    check(!errand_send(ours, &e, clock_now() + 3000));
    close(ours);
    close(pair[0]);
    close(pair[1]);
}

static const struct test_case cases[] = {
    TEST_CASE(words_come_back_as_they_were),
    TEST_CASE(what_cannot_be_said_is_not_written),
    TEST_CASE(packets_that_are_none_are_refused),
    TEST_CASE(an_errand_brings_its_descriptors),
    TEST_CASE(what_is_malformed_is_answered_where_it_can_be_and_leaves_nothing_open),
    TEST_CASE(who_does_not_take_an_errand_is_not_waited_for_for_ever),
};

int main(int argc, char **argv)
{
    int status = test_main(cases, TEST_COUNT(cases), argc, argv);

    buf_done(&packet);
    return status;
}

#include "test.h"

#include "base/clock.h"
#include "dovecot/quota_status.h"

#include "place.h"

#include <pthread.h>
#include <sys/un.h>

/* The protocol */

static void a_question(void)
{
    struct buf b = {0};

    quota_status_write(STR("a@example"), 4711, &b);
    check_str(buf_str(&b),
              STR("request=smtpd_access_policy\nprotocol_state=RCPT\nprotocol_name=ESMTP\nrecipient=a@example\nsize=4711\n\n"));
    buf_done(&b);
}

static void an_address_adds_no_line(void)
{
    struct buf b = {0};

    quota_status_write((struct str){"a\nsize=1\r\0b@example", 19}, 0, &b);
    check_str(buf_str(&b),
              STR("request=smtpd_access_policy\nprotocol_state=RCPT\nprotocol_name=ESMTP\nrecipient=a?size=1??b@example\nsize=0\n\n"));
    buf_done(&b);
}

static void answers(void)
{
    static const struct {
        const char *answer;
        enum quota_answer result;
        const char *text; /* code, enhanced code and words of a refusal, or the words of what says nothing */
    } table[] = {
        {"action=OK\n\n", QUOTA_ROOM, ""},
        {"action=DUNNO\n\n", QUOTA_ROOM, ""},
        {"action=dunno whatever\n\n", QUOTA_ROOM, ""},
        {"action= OK\n\n", QUOTA_ROOM, ""},
        {"action=OK", QUOTA_ROOM, ""},
        {"action=552 5.2.2 Quota exceeded\n\n", QUOTA_REFUSED, "552 5.2.2 Quota exceeded"},
        {"action=452 4.2.2 Quota exceeded\n\n", QUOTA_REFUSED, "452 4.2.2 Quota exceeded"},
        {"action=554 5.7.1 No\n\n", QUOTA_REFUSED, "554 5.7.1 No"},
        {"action=552 Mailbox is full\n\n", QUOTA_REFUSED, "552 5.2.2 Mailbox is full"},
        {"action=452\n\n", QUOTA_REFUSED, "452 4.2.2 The mailbox takes no mail now"},
        {"action=550 No\n\n", QUOTA_REFUSED, "550 5.2.0 No"},
        {"action=552 4.2.2 of another class\n\n", QUOTA_REFUSED, "552 5.2.2 of another class"},
        {"action=421 4.3.2 Going\n\n", QUOTA_REFUSED, "450 4.3.2 Going"},
        {"action=552 5.2.2 a\tb\033[1m\n\n", QUOTA_REFUSED, "552 5.2.2 a?b?[1m"},
        {"first=1\naction=552 5.2.2 full\nlast=\n\n", QUOTA_REFUSED, "552 5.2.2 full"},
        {"action=REJECT Unknown user\n\n", QUOTA_OTHER, "REJECT Unknown user"},
        {"action=DEFER_IF_PERMIT Temporary internal error\n\n", QUOTA_OTHER, "DEFER_IF_PERMIT Temporary internal error"},
        {"action=250 ok\n\n", QUOTA_OTHER, "250 ok"},
        {"action=354 go on\n\n", QUOTA_OTHER, "354 go on"},
        {"action=562 5.2.2 no code\n\n", QUOTA_OTHER, "562 5.2.2 no code"},
        {"action=469 4.2.2 no code\n\n", QUOTA_OTHER, "469 4.2.2 no code"},
        {"action=600 5.2.2 no code\n\n", QUOTA_OTHER, "600 5.2.2 no code"},
        {"action=5522 5.2.2 no code\n\n", QUOTA_OTHER, "5522 5.2.2 no code"},
        {"action=552-5.2.2 full\n\n", QUOTA_OTHER, "552-5.2.2 full"},
        {"action=OKAY\n\n", QUOTA_OTHER, "OKAY"},
        {"", QUOTA_NONE, ""},
        {"\n\n", QUOTA_NONE, ""},
        {"action=\n\n", QUOTA_NONE, ""},
        {"action=  \n\n", QUOTA_NONE, ""},
        {"actions=552 5.2.2 full\n\n", QUOTA_NONE, ""},
        {"Action=552 5.2.2 full\n\n", QUOTA_NONE, ""},
        {"action=OK\naction=552 5.2.2 full\n\n", QUOTA_NONE, ""},
        {"action=552 5.2.2 full\n500 what\n\n", QUOTA_NONE, ""},
        {"\naction=552 5.2.2 full\n\n", QUOTA_NONE, ""},
        {"220 smtp.example ESMTP\n\n", QUOTA_NONE, ""},
    };

    for (size_t i = 0; i < TEST_COUNT(table); i++) {
        char text[STATUS_QUOTED_SIZE + 32], enhanced[STATUS_ENHANCED_SIZE];
        struct status s;
        enum quota_answer result = quota_status_read(str_of(table[i].answer), &s);

        status_enhanced(&s, enhanced);
        if (result == QUOTA_REFUSED)
            snprintf(text, sizeof text, "%d %s%s", s.code, enhanced, s.text);
        else
            snprintf(text, sizeof text, "%s", s.text);
        if (!check_number(result, table[i].result) || !check_text(text, table[i].text))
            printf("# the answer was: %s\n", table[i].answer);
        check((result == QUOTA_REFUSED) == !status_is_ok(&s));
    }
}

static void a_nul_is_no_answer(void)
{
    struct status s;

    check_number(quota_status_read((struct str){"action=552 5.2.2 a\0b\n\n", 22}, &s), QUOTA_NONE);
    check_number(quota_status_read((struct str){"a=\0\naction=552 5.2.2 full\n\n", 27}, &s), QUOTA_NONE);
}

/* The service */

static int64_t now = 5000000;

static int64_t read_clock(void)
{
    return now;
}

static const struct clock_source clock_here = {read_clock, read_clock};

/* Takes one connection for each answer and says it when it has heard the question. */
static struct {
    struct place place;
    struct endpoint endpoint;
    int listener;
    const char *const *answers;
    size_t count;
    struct buf heard;
    pthread_t thread;
} service;

static void *serve(void *nothing)
{
    for (size_t i = 0; i < service.count; i++) {
        int fd = accept(service.listener, NULL, NULL);
        char piece[4096];
        ssize_t n;

        if (fd < 0)
            break;
        buf_clear(&service.heard);
        while (!str_ends(buf_str(&service.heard), STR("\n\n")) && (n = recv(fd, piece, sizeof piece, 0)) > 0)
            buf_add(&service.heard, (struct str){piece, (size_t)n});
        pair_send(fd, str_of(service.answers[i]));
        close(fd);
    }
    return nothing;
}

static struct quota_status *start(const char *const *list, size_t count)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    place_open(&service.place);
    service.endpoint = (struct endpoint){.path = place_path(&service.place, "quota")};
    str_copy(str_of(service.endpoint.path), address.sun_path, sizeof address.sun_path);
    service.listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    service.answers = list;
    service.count = count;
    if (bind(service.listener, (struct sockaddr *)&address, sizeof address) != 0 || listen(service.listener, 5) != 0
        || pthread_create(&service.thread, NULL, serve, NULL) != 0)
        abort();
    return quota_status_new(&service.endpoint, NULL);
}

static void finish(struct quota_status **q)
{
    shutdown(service.listener, SHUT_RDWR);
    pthread_join(service.thread, NULL);
    close(service.listener);
    quota_status_free(q);
    buf_done(&service.heard);
    place_close(&service.place);
}

static int ask(struct quota_status *q)
{
    return quota_status_ask(q, STR("a@example"), 100).code;
}

static void a_refusal_is_passed_on(void)
{
    static const char *const list[] = {"action=OK\n\n", "action=552 5.2.2 full\n\n"};
    struct quota_status *q = start(list, TEST_COUNT(list));
    struct status s;

    check_number(ask(q), 250);
    s = quota_status_ask(q, STR("b@example"), 7);
    check_number(s.code, 552);
    check_text(s.text, "full");
    finish(&q);
}

static void after_no_answer_nobody_is_asked(void)
{
    static const char *const list[] = {"action=OK\n", "action=552 5.2.2 full\n\n"};
    struct quota_status *q = start(list, TEST_COUNT(list));

    check_number(ask(q), 250);
    check_number(ask(q), 250);
    now += QUOTA_STATUS_PAUSE_MS;
    check_number(ask(q), 552);
    finish(&q);
}

static void after_another_action_it_is_asked_again(void)
{
    static const char *const list[] = {"action=REJECT Unknown user\n\n", "action=452 4.2.2 full\n\n"};
    struct quota_status *q = start(list, TEST_COUNT(list));

    check_number(ask(q), 250);
    check_number(ask(q), 452);
    finish(&q);
}

static const struct test_case cases[] = {
    TEST_CASE(a_question),
    TEST_CASE(an_address_adds_no_line),
    TEST_CASE(answers),
    TEST_CASE(a_nul_is_no_answer),
    TEST_CASE(a_refusal_is_passed_on),
    TEST_CASE(after_no_answer_nobody_is_asked),
    TEST_CASE(after_another_action_it_is_asked_again),
};

int main(int argc, char **argv)
{
    clock_use(&clock_here);
    return test_main(cases, TEST_COUNT(cases), argc, argv);
}

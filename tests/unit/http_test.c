#include "test.h"

#include "base/clock.h"
#include "base/stop.h"
#include "base/thread.h"
#include "net/http.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

/* With a real endpoint: scenario/oauth-tokens.py. */

static void fields_are_encoded(void)
{
    struct buf form = {0};

    http_add_field(&form, "grant_type", STR("refresh_token"));
    http_add_field(&form, "client_secret", STR("a b&c=d+e%f\"\n\0\xc3\xa9~/-._Z9"));
    http_add_field(&form, "empty", STR(""));
    check_text(buf_text(&form), "grant_type=refresh_token&client_secret=a%20b%26c%3Dd%2Be%25f%22%0A%00%C3%A9%7E%2F-._Z9&empty=");
    buf_done(&form);
}

/* Nothing is listened to here; *LISTENING is where somebody could knock. */
static const char *local_url(const char *scheme, int *listening)
{
    static char url[64];
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;

    *listening = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    check(bind(*listening, (struct sockaddr *)&address, length) == 0 && listen(*listening, 5) == 0);
    check(getsockname(*listening, (struct sockaddr *)&address, &length) == 0);
    snprintf(url, sizeof url, "%s127.0.0.1:%d/token", scheme, ntohs(address.sin_port));
    return url;
}

static bool was_knocked_at(int listening)
{
    int fd = accept(listening, NULL, NULL);

    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

static void only_https_is_spoken(void)
{
    static const char *const schemes[] = {"http://", "ftp://", "", "gopher://", "smtp://", "https://user:password@"};

    for (size_t i = 0; i < TEST_COUNT(schemes); i++) {
        struct http_answer answer;
        int listening;

        http_post_form(local_url(schemes[i], &listening), STR("a=b"), "", clock_now() + 5000, &answer);
        if (!check(answer.code == 0 && answer.error[0] != '\0') || !check(!was_knocked_at(listening)))
            printf("#   %s\n", schemes[i]);
        buf_done(&answer.body);
        close(listening);
    }
}

static void files_are_not_read(void)
{
    struct http_answer answer;

    http_post_form("file:///etc/passwd", STR("a=b"), "", clock_now() + 5000, &answer);
    check_number(answer.code, 0);
    check_text(answer.error, "the URL is not of https");
    check_number(answer.body.length, 0);
    buf_done(&answer.body);
}

static void a_silent_server_costs_no_more_than_the_deadline(void)
{
    struct http_answer answer;
    int listening;
    int64_t start = clock_now();

    http_post_form(local_url("https://", &listening), STR("a=b"), "", start + 300, &answer);
    check_number(answer.code, 0);
    check_text(answer.error, "timed out");
    check(clock_now() - start >= 300 && clock_now() - start < 5000);
    check(was_knocked_at(listening));
    buf_done(&answer.body);
    close(listening);
}

static void a_deadline_that_has_passed_is_one(void)
{
    struct http_answer answer;
    int listening;
    int64_t start = clock_now();

    http_post_form(local_url("https://", &listening), STR("a=b"), "", start - 1, &answer);
    check_number(answer.code, 0);
    check(clock_now() - start < 5000);
    buf_done(&answer.body);
    close(listening);
}

static void nobody_there_is_said(void)
{
    struct http_answer answer;
    int listening;
    const char *url = local_url("https://", &listening);

    close(listening);
    http_post_form(url, STR("a=b"), "", clock_now() + 5000, &answer);
    check_number(answer.code, 0);
    check_has(answer.error, "connect");
    buf_done(&answer.body);
}

static void stop_soon(void *unused)
{
    (void)unused;
    stop_wait(clock_now() + 200);
    stop_begin();
}

/* The last case: a stop is for ever. */
static void the_stop_ends_a_request_when_its_grace_does(void)
{
    struct http_answer answer;
    int listening;
    int64_t start = clock_now();

    check(stop_open(-1, 300));
    check(thread_start(stop_soon, NULL));
    http_post_form(local_url("https://", &listening), STR("a=b"), "", start + 30000, &answer);
    check_number(answer.code, 0);
    check_text(answer.error, "stopping");
    check(clock_now() - start >= 500 && clock_now() - start < 5000);
    buf_done(&answer.body);
    http_post_form(local_url("https://", &listening), STR("a=b"), "", clock_now() + 30000, &answer);
    check_text(answer.error, "stopping");
    check(clock_now() - start < 8000);
    buf_done(&answer.body);
}

static const struct test_case cases[] = {
    TEST_CASE(fields_are_encoded),
    TEST_CASE(only_https_is_spoken),
    TEST_CASE(files_are_not_read),
    TEST_CASE(a_silent_server_costs_no_more_than_the_deadline),
    TEST_CASE(a_deadline_that_has_passed_is_one),
    TEST_CASE(nobody_there_is_said),
    TEST_CASE(the_stop_ends_a_request_when_its_grace_does),
};

int main(int argc, char **argv)
{
    if (!http_start()) {
        puts("not ok http_start # libcurl");
        return 1;
    }
    return test_main(cases, TEST_COUNT(cases), argc, argv);
}

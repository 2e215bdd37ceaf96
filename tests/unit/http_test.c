#include "test.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/stop.h"
#include "base/thread.h"
#include "net/http.h"
#include "net/stream.h"
#include "net/tls.h"

#include "certificate.h"
#include "place.h"

#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

static struct place place;
static struct authority root, other_root;

static struct http_answer post(const char *url, int64_t deadline)
{
    const struct http_request request = {
        .url = url, .content_type = "text/plain", .content = STR("a=b"), .ca_file = "", .deadline = deadline};
    struct http_answer answer;

    http_ask(&request, &answer);
    return answer;
}

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

        answer = post(local_url(schemes[i], &listening), clock_now() + 5000);
        if (!check(answer.code == 0 && answer.error[0] != '\0') || !check(!was_knocked_at(listening)))
            printf("#   %s\n", schemes[i]);
        buf_done(&answer.body);
        close(listening);
    }
}

static void files_are_not_read(void)
{
    struct http_answer answer;

    answer = post("file:///etc/passwd", clock_now() + 5000);
    check_number(answer.code, 0);
    check_text(answer.error, "the URL is not of https");
    check_number(answer.fault, HTTP_OTHER);
    check_number(answer.body.length, 0);
    buf_done(&answer.body);
}

static void a_silent_server_costs_no_more_than_the_deadline(void)
{
    struct http_answer answer;
    int listening;
    int64_t start = clock_now();

    answer = post(local_url("https://", &listening), start + 300);
    check_number(answer.code, 0);
    check_text(answer.error, "timed out");
    check_number(answer.fault, HTTP_TIMEOUT);
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

    answer = post(local_url("https://", &listening), start - 1);
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
    answer = post(url, clock_now() + 5000);
    check_number(answer.code, 0);
    check_has(answer.error, "connect");
    check_number(answer.fault, HTTP_UNREACHABLE);
    buf_done(&answer.body);
}

/* ---- a server ---- */

static struct server {
    int listening, port;
    struct tls_server *tls;
    pthread_t thread;
    const char *reply;
    const char *filler; /* behind it, */
    size_t fillers;     /* so many times */
    struct buf heard;
} server;

static void open_server(const char *certificate, int family)
{
    struct sockaddr_storage any = {.ss_family = (sa_family_t)family};
    socklen_t length = sizeof any;
    char error[TLS_ERROR_SIZE] = "", cert[300], key[300];
    struct tls_pairs pairs;

    if (family == AF_INET)
        ((struct sockaddr_in *)&any)->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    else
        ((struct sockaddr_in6 *)&any)->sin6_addr = in6addr_loopback;
    server = (struct server){.listening = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    certificate_must(bind(server.listening, (struct sockaddr *)&any, length) == 0);
    certificate_must(listen(server.listening, 5) == 0 && getsockname(server.listening, (struct sockaddr *)&any, &length) == 0);
    server.port = ntohs(family == AF_INET ? ((struct sockaddr_in *)&any)->sin_port : ((struct sockaddr_in6 *)&any)->sin6_port);
    snprintf(cert, sizeof cert, "%s/%s.crt", place.folder, certificate);
    snprintf(key, sizeof key, "%s/%s.key", place.folder, certificate);
    server.tls = tls_server_new(TLS_VERSION_1_2, "", error, sizeof error);
    certificate_must(tls_files_read(&pairs, cert, key, "", error, sizeof error) && tls_server_use(server.tls, &pairs, error, sizeof error));
    tls_files_done(&pairs);
}

static void close_server(void)
{
    tls_server_free(&server.tls);
    buf_done(&server.heard);
    close(server.listening);
}

/* As much as the Content-Length of the header says. */
static bool is_whole(struct str heard)
{
    const char *text = buf_text(&server.heard), *end = strstr(text, "\r\n\r\n"), *length = strstr(text, "Content-Length: ");

    return end != NULL && (length == NULL || heard.length >= (size_t)(end + 4 - text) + strtoul(length + 16, NULL, 10));
}

static void converse(struct stream *s)
{
    while (!is_whole(buf_str(&server.heard)) && stream_fill(s, 1 << 16)) {
        buf_add(&server.heard, stream_input(s));
        stream_consume(s, stream_input(s).length);
    }
    stream_put(s, str_of(server.reply));
    for (size_t i = 0; i < server.fillers && s->fault == STREAM_FINE; i++)
        stream_put(s, str_of(server.filler));
    stream_finish(s, clock_now() + 5000);
}

/* One connection, if it comes. */
static void *serve(void *nothing)
{
    const struct address nobody = {0};
    struct stream s;
    struct tls *tls;
    int fd = -1;

    if (poll(&(struct pollfd){.fd = server.listening, .events = POLLIN}, 1, 5000) > 0)
        fd = accept4(server.listening, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0)
        return NULL;
    stream_init(&s, fd, &nobody);
    s.deadline = clock_now() + 5000;
    tls = tls_accept(server.tls, fd);
    if (stream_start_tls(&s, &tls))
        converse(&s);
    stream_done(&s);
    return nothing;
}

/* Asks the server for PATH as HOST. */
static struct http_answer ask(struct http_request request, const char *host, const char *path, const char *reply)
{
    struct http_answer answer;
    char url[200], ca_file[300];

    snprintf(url, sizeof url, "https://%s:%d%s", host, server.port, path);
    snprintf(ca_file, sizeof ca_file, "%s/root.crt", place.folder);
    request.url = url;
    request.ca_file = request.ca_file != NULL ? request.ca_file : ca_file;
    request.deadline = request.deadline != 0 ? request.deadline : clock_now() + 5000;
    server.reply = reply;
    buf_clear(&server.heard);
    certificate_must(pthread_create(&server.thread, NULL, serve, NULL) == 0);
    http_ask(&request, &answer);
    pthread_join(server.thread, NULL);
    return answer;
}

static const char short_answer[] = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello";

static void a_get_asks_for_a_page(void)
{
    struct http_answer answer;

    open_server("good", AF_INET);
    answer = ask((struct http_request){.content = STR("not sent")}, "127.0.0.1", "/.well-known/mta-sts.txt?a=b", short_answer);
    check_number(answer.code, 200);
    check_number(answer.fault, HTTP_FINE);
    check_text(answer.error, "");
    check_text(answer.type, "text/plain");
    check_text(buf_text(&answer.body), "hello");
    check(str_starts(buf_str(&server.heard), STR("GET /.well-known/mta-sts.txt?a=b HTTP/1.1\r\n")));
    check(strstr(buf_text(&server.heard), "Content-") == NULL && strstr(buf_text(&server.heard), "not sent") == NULL);
    buf_done(&answer.body);
    close_server();
}

static void a_post_sends_its_content(void)
{
    struct http_request request = {.content_type = "application/tlsrpt+gzip", .content = STR("a\0b")};
    struct http_answer answer;
    struct buf much = {0};

    open_server("good", AF_INET);
    answer = ask(request, "127.0.0.1", "/report", "HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n");
    check_number(answer.code, 201);
    check_text(answer.type, "");
    check_number(answer.body.length, 0);
    check(str_starts(buf_str(&server.heard), STR("POST /report HTTP/1.1\r\n")));
    check_has(buf_text(&server.heard), "\r\nContent-Type: application/tlsrpt+gzip\r\n");
    check_has(buf_text(&server.heard), "\r\nContent-Length: 3\r\n");
    check(str_ends(buf_str(&server.heard), STR("\r\n\r\na\0b")));
    buf_done(&answer.body);
    /* Nobody is asked whether much may come. */
    while (much.length < 3 << 20)
        buf_add_text(&much, "0123456789abcdef");
    request.content = buf_str(&much);
    answer = ask(request, "127.0.0.1", "/report", short_answer);
    check_number(answer.code, 200);
    check(strstr(buf_text(&server.heard), "Expect:") == NULL && str_ends(buf_str(&server.heard), buf_str(&much)));
    buf_done(&answer.body);
    request.content = STR("");
    answer = ask(request, "127.0.0.1", "/report", short_answer);
    check_number(answer.code, 200);
    check_has(buf_text(&server.heard), "\r\nContent-Length: 0\r\n");
    buf_done(&answer.body);
    buf_done(&much);
    close_server();
}

#define A20 "aaaaaaaaaaaaaaaaaaaa"

static void media_types_are_told(void)
{
    static const struct {
        const char *field, *type;
    } table[] = {
        {"", ""}, {"Content-Type: text/plain\r\n", "text/plain"}, {"content-type: Text/PLAIN; charset=UTF-8\r\n", "text/plain"},
        {"Content-Type:  application/json \t;x\r\n", "application/json"}, {"Content-Type: \r\n", ""}, {"Content-Type: ;a=b\r\n", ""},
        {"Content-Type: text/plain\r\nContent-Type: text/html\r\n", "text/html"},
        {"Content-Type: text/" A20 A20 A20 A20 A20 A20 "\r\n", "text/" A20 A20 A20 A20 A20 A20},
        {"Content-Type: text/" A20 A20 A20 A20 A20 A20 "aaa\r\n", ""},
    };

    open_server("good", AF_INET);
    for (size_t i = 0; i < TEST_COUNT(table); i++) {
        struct http_answer answer;
        char reply[400];

        snprintf(reply, sizeof reply, "HTTP/1.1 404 Not Found\r\n%sContent-Length: 3\r\n\r\nabc", table[i].field);
        answer = ask((struct http_request){0}, "127.0.0.1", "/", reply);
        if (check_number(answer.code, 404) + check_text(answer.type, table[i].type) + check_text(buf_text(&answer.body), "abc") < 3)
            printf("# row %zu\n", i);
        buf_done(&answer.body);
    }
    close_server();
}

static void answers_have_bounds(void)
{
    struct http_answer answer;

    open_server("good", AF_INET);
    server.filler = "x";
    server.fillers = HTTP_BODY_MAX - 5;
    answer = ask((struct http_request){0}, "127.0.0.1", "/", "HTTP/1.1 200 OK\r\nContent-Length: 65536\r\n\r\nhello");
    check_number(answer.code, 200);
    check_number(answer.body.length, HTTP_BODY_MAX);
    buf_done(&answer.body);
    server.fillers = HTTP_BODY_MAX;
    answer = ask((struct http_request){0}, "127.0.0.1", "/", "HTTP/1.1 200 OK\r\n\r\nhello");
    check_number(answer.code, 0);
    check_number(answer.fault, HTTP_TOO_LONG);
    check_text(answer.error, "the answer is too long");
    buf_done(&answer.body);
    server.filler = "X-Long: yes\r\n";
    server.fillers = 6000;
    answer = ask((struct http_request){0}, "127.0.0.1", "/", "HTTP/1.1 200 OK\r\n");
    check_number(answer.code, 0);
    check_number(answer.fault, HTTP_TOO_LONG);
    check_text(answer.error, "the header of the answer is too long");
    buf_done(&answer.body);
    close_server();
}

static void redirects_are_answers(void)
{
    struct http_answer answer;

    open_server("good", AF_INET);
    answer = ask((struct http_request){0}, "127.0.0.1", "/", "HTTP/1.1 302 Found\r\nLocation: /other\r\nContent-Length: 0\r\n\r\n");
    check_number(answer.code, 302);
    check_number(answer.fault, HTTP_FINE);
    buf_done(&answer.body);
    close_server();
}

static void what_speaks_no_http_is_told(void)
{
    static const char *const replies[] = {"", "220 mx.example.org ESMTP\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhello"};

    open_server("good", AF_INET);
    for (size_t i = 0; i < TEST_COUNT(replies); i++) {
        struct http_answer answer = ask((struct http_request){0}, "127.0.0.1", "/", replies[i]);

        check_number(answer.code, 0);
        check_number(answer.fault, HTTP_OTHER);
        check(answer.error[0] != '\0');
        buf_done(&answer.body);
    }
    close_server();
}

static void certificates_are_verified(void)
{
    static const struct {
        const char *certificate, *ca, *error;
    } table[] = {
        {"good", "root.crt", NULL},
        {"good", "other-root.crt", "certificate"},
        {"good", "", "certificate"},
        {"self", "root.crt", "certificate"},
        {"old", "root.crt", "certificate has expired"},
        {"elsewhere", "root.crt", "certificate"},
    };

    for (size_t i = 0; i < TEST_COUNT(table); i++) {
        char ca_file[300];
        struct http_answer answer;

        snprintf(ca_file, sizeof ca_file, "%s/%s", place.folder, table[i].ca);
        open_server(table[i].certificate, AF_INET);
        answer = ask((struct http_request){.ca_file = table[i].ca[0] != '\0' ? ca_file : ""}, "127.0.0.1", "/", short_answer);
        if (table[i].error == NULL)
            check_number(answer.code, 200);
        else if (check_number(answer.fault, HTTP_CERTIFICATE) + check_number(answer.code, 0) + check_has(answer.error, table[i].error) < 3)
            printf("# row %zu: %s\n", i, answer.error);
        buf_done(&answer.body);
        close_server();
    }
}

/* ---- hosts by the DNS ---- */

/* A DNS that knows example.test by itself, and would ask a resolver that says nothing for the rest. */
static struct dns *open_dns(int *silent)
{
    static const char zone[] = "server:\n"
                               "  local-zone: \"example.test.\" static\n"
                               "  local-data: \"api.example.test. A 127.0.0.1\"\n"
                               "  local-data: \"both.example.test. A 127.0.0.1\"\n"
                               "  local-data: \"both.example.test. AAAA ::1\"\n"
                               "  local-data: \"six.example.test. AAAA ::1\"\n"
                               "  local-data: \"none.example.test. TXT x\"\n";
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    char path[300], forward[64], error[500] = "";
    struct dns *dns;
    FILE *file;

    *silent = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    certificate_must(bind(*silent, (struct sockaddr *)&address, length) == 0);
    certificate_must(getsockname(*silent, (struct sockaddr *)&address, &length) == 0);
    snprintf(forward, sizeof forward, "127.0.0.1@%d", ntohs(address.sin_port));
    snprintf(path, sizeof path, "%s/unbound.conf", place.folder);
    file = fopen(path, "w");
    certificate_must(file != NULL && fputs(zone, file) >= 0 && fclose(file) == 0);
    dns = dns_open(&(struct dns_settings){.forward = forward, .trust_anchor = "", .unbound_conf = path}, error, sizeof error);
    if (dns == NULL)
        printf("# %s\n", error);
    certificate_must(dns != NULL);
    return dns;
}

static void check_found(struct dns *dns, const char *host)
{
    struct http_answer answer = ask((struct http_request){.dns = dns}, host, "/", short_answer);

    if (check_number(answer.code, 200) + check_text(answer.error, "") < 2)
        printf("# %s\n", host);
    buf_done(&answer.body);
}

static void hosts_are_found_by_our_dns(void)
{
    static const char *const hosts[] = {"api.example.test", "API.Example.Test", "api.example.test.", "both.example.test", "127.0.0.1"};
    int silent;
    struct dns *dns = open_dns(&silent);

    open_server("good", AF_INET);
    for (size_t i = 0; i < TEST_COUNT(hosts); i++)
        check_found(dns, hosts[i]);
    close_server();
    open_server("good", AF_INET6);
    check_found(dns, "six.example.test");
    check_found(dns, "both.example.test");
    check_found(dns, "[::1]");
    close_server();
    dns_close(&dns);
    close(silent);
}

static struct http_answer get_by(struct dns *dns, const char *url, int64_t deadline)
{
    const struct http_request request = {.url = url, .ca_file = "", .dns = dns, .deadline = deadline};
    struct http_answer answer;

    http_ask(&request, &answer);
    check_number(answer.code, 0);
    buf_done(&answer.body);
    return answer;
}

static void hosts_that_our_dns_does_not_find(void)
{
    int silent;
    struct dns *dns = open_dns(&silent);
    int64_t start = clock_now();
    struct http_answer answer;

    answer = get_by(dns, "https://absent.example.test/", start + 5000);
    check_number(answer.fault, HTTP_NOT_FOUND_HOST);
    check_has(answer.error, "absent.example.test");
    answer = get_by(dns, "https://none.example.test/", start + 5000);
    check_number(answer.fault, HTTP_NOT_FOUND_HOST);
    answer = get_by(dns, "https://t\xc3\xbcr.example.test/", start + 5000);
    check_number(answer.fault, HTTP_NOT_FOUND_HOST);
    check_number(get_by(dns, "file:///etc/passwd", start + 5000).fault, HTTP_OTHER);
    check_number(get_by(dns, "", start + 5000).fault, HTTP_OTHER);
    check(clock_now() < start + 1000);
    start = clock_now();
    answer = get_by(dns, "https://www.silent.example/", start + 400);
    check_number(answer.fault, HTTP_TIMEOUT);
    check_text(answer.error, "timed out");
    check(clock_now() - start >= 400 && clock_now() - start < 2500);
    dns_close(&dns);
    close(silent);
}

static void stop_soon(void *unused)
{
    (void)unused;
    stop_wait(clock_now() + 200);
    stop_begin();
}

static void get_until_stop(struct dns *dns, const char *url)
{
    const struct http_request request = {.url = url, .ca_file = "", .dns = dns, .deadline = clock_now() + 30000, .heed_stop = true};
    struct http_answer answer;

    http_ask(&request, &answer);
    check_number(answer.code, 0);
    check_number(answer.fault, HTTP_TIMEOUT);
    check_text(answer.error, "stopping");
    buf_done(&answer.body);
}

/* The last case: a stop is for ever. */
static void a_stop_ends_requests_at_once_or_when_its_grace_does(void)
{
    struct http_answer answer;
    int listening, silent;
    struct dns *dns = open_dns(&silent);
    const char *url = local_url("https://", &listening);
    int64_t start = clock_now();

    check(stop_open(-1, 4000));
    check(thread_start(stop_soon, NULL));
    get_until_stop(NULL, url);
    check(clock_now() - start >= 200 && clock_now() - start < 2500);
    get_until_stop(NULL, url);
    get_until_stop(dns, "https://www.silent.example/");
    check(clock_now() - start < 4000);
    answer = post(url, start + 30000);
    check_number(answer.code, 0);
    check_text(answer.error, "stopping");
    check(clock_now() - start >= 4200 && clock_now() - start < 9000);
    buf_done(&answer.body);
    answer = post(url, clock_now() + 30000);
    check_text(answer.error, "stopping");
    check(clock_now() - start < 12000);
    buf_done(&answer.body);
    dns_close(&dns);
    close(listening);
    close(silent);
}

static const struct test_case cases[] = {
    TEST_CASE(fields_are_encoded),
    TEST_CASE(only_https_is_spoken),
    TEST_CASE(files_are_not_read),
    TEST_CASE(a_silent_server_costs_no_more_than_the_deadline),
    TEST_CASE(a_deadline_that_has_passed_is_one),
    TEST_CASE(nobody_there_is_said),
    TEST_CASE(a_get_asks_for_a_page),
    TEST_CASE(a_post_sends_its_content),
    TEST_CASE(media_types_are_told),
    TEST_CASE(answers_have_bounds),
    TEST_CASE(redirects_are_answers),
    TEST_CASE(what_speaks_no_http_is_told),
    TEST_CASE(certificates_are_verified),
    TEST_CASE(hosts_are_found_by_our_dns),
    TEST_CASE(hosts_that_our_dns_does_not_find),
    TEST_CASE(a_stop_ends_requests_at_once_or_when_its_grace_does),
};

static void issue(const char *file, const struct wish *w, const struct authority *issuer)
{
    struct authority made = certificate_make(w, issuer);

    certificate_write(&place, file, &made, NULL);
    certificate_done(&made);
}

static void make_world(void)
{
    static const char names[] = "DNS:*.example.test,IP:127.0.0.1,IP:::1";
    static const struct wish ca = {.subject = "Test Root", .is_authority = true}, other = {.subject = "Other Root", .is_authority = true};
    static const struct wish good = {.subject = "good", .names = names}, old = {.subject = "old", .names = names, .from = -10, .until = -1};
    static const struct wish elsewhere = {.subject = "elsewhere", .names = "DNS:elsewhere.example,IP:127.0.0.2"};
    char error[TLS_ERROR_SIZE];

    place_open(&place);
    log_open(place.folder, -1, LOG_FORMAT_LOGFMT, false, "test", error, sizeof error);
    root = certificate_make(&ca, NULL);
    other_root = certificate_make(&other, NULL);
    certificate_write(&place, "root", &root, NULL);
    certificate_write(&place, "other-root", &other_root, NULL);
    issue("good", &good, &root);
    issue("self", &good, NULL);
    issue("old", &old, &root);
    issue("elsewhere", &elsewhere, &root);
}

int main(int argc, char **argv)
{
    int result;

    if (!http_start()) {
        puts("not ok http_start # libcurl");
        return 1;
    }
    make_world();
    result = test_main(cases, TEST_COUNT(cases), argc, argv);
    certificate_done(&root);
    certificate_done(&other_root);
    place_close(&place);
    return result;
}

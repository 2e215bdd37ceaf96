#include "test.h"

#include "base/buf.h"
#include "conf/endpoint.h"

static struct arena arena;

static void check_endpoint(const struct endpoint *e, const char *path, const char *host, int port)
{
    check((e->path != NULL) == (path != NULL) && (e->host != NULL) == (host != NULL));
    check_text(e->path != NULL ? e->path : "", path != NULL ? path : "");
    check_text(e->host != NULL ? e->host : "", host != NULL ? host : "");
    check_number(e->port, port);
}

static void endpoints_are_read(void)
{
    static const struct {
        const char *text, *path, *host;
        int port;
    } table[] = {
        {"unix:/run/dovecot/lmtp", "/run/dovecot/lmtp", NULL, 0},
        {"unix:/a b:24", "/a b:24", NULL, 0},
        {"unix:/", "/", NULL, 0},
        {"inet:127.0.0.1:24", NULL, "127.0.0.1", 24},
        {"127.0.0.1:24", NULL, "127.0.0.1", 24},
        {"inet:[::1]:24", NULL, "::1", 24},
        {"[2001:db8::1]:65535", NULL, "2001:db8::1", 65535},
        {"[127.0.0.1]:24", NULL, "127.0.0.1", 24},
        {"inet:Mail.Example.ORG:24", NULL, "mail.example.org", 24},
        {"localhost:1", NULL, "localhost", 1},
        {"b\xc3\xbc" "cher.example:24", NULL, "xn--bcher-kva.example", 24},
    };

    for (size_t i = 0; i < TEST_COUNT(table); i++) {
        struct endpoint e = {.path = "old", .host = "old", .port = 99};

        if (!check(endpoint_parse(&e, str_of(table[i].text), &arena)))
            printf("#   %s\n", table[i].text);
        else
            check_endpoint(&e, table[i].path, table[i].host, table[i].port);
    }
}

static void all_else_is_none(void)
{
    static const char *const table[] = {
        "", ":", "unix:", "unix:relative", "unix:24", "unix:./x", "unix", "/run/dovecot/lmtp", "UNIX:/run/x", "inet:", "inet::24",
        ":24", "host", "host:", "host:0", "host:65536", "host:-1", "host:+24", "host: 24", "host:24 ", " host:24", "host:lmtp", "host:0x18", "host:2 4", "host:24:",
        "inet:inet:host:24", "::1:24", "inet:::1:24", "[::1]", "[::1:24", "::1]:24", "[]:24", "[[::1]]:24", "[:24", "]:24",
        "ho st:24", "host\n:24", "host;other:24", "tcp:host:24", "user@host:24", "host..example:24", "host:184467440737095516160",
    };

    for (size_t i = 0; i < TEST_COUNT(table); i++) {
        struct endpoint e;

        if (!check(!endpoint_parse(&e, str_of(table[i]), &arena)))
            printf("#   %s\n", table[i]);
    }
    check(!endpoint_parse(&(struct endpoint){0}, (struct str){"unix:/a\0b", 9}, &arena));
    check(!endpoint_parse(&(struct endpoint){0}, (struct str){"host\0:24", 8}, &arena));
}

/* As long as the system takes it, and not an octet more. */
static void paths_fit(void)
{
    char text[5 + ENDPOINT_PATH_SIZE + 1] = "unix:/";
    struct endpoint e;

    memset(text + 6, 'x', ENDPOINT_PATH_SIZE - 2);
    check(endpoint_parse(&e, str_of(text), &arena));
    check_number((long)strlen(e.path), ENDPOINT_PATH_SIZE - 1);
    text[5 + ENDPOINT_PATH_SIZE - 1] = 'x';
    check(!endpoint_parse(&e, str_of(text), &arena));
}

static void lists_are_read(void)
{
    struct endpoints e;

    check(endpoints_parse(&e, STR("unix:/a"), &arena));
    check_number((long)e.count, 1);
    check(endpoints_parse(&e, STR(" unix:/a;inet:b:24,  [::1]:25 ;"), &arena));
    if (check(e.count == 3)) {
        check_endpoint(&e.items[0], "/a", NULL, 0);
        check_endpoint(&e.items[1], NULL, "b", 24);
        check_endpoint(&e.items[2], NULL, "::1", 25);
    }
}

static void bad_lists_are_refused(void)
{
    static const char *const table[] = {"", " ", ";", " ; , ", "unix:/a;b", "b;unix:/a", "unix:/a;b:24 c:25", "unix:/a;;host:0"};
    struct endpoints e;

    for (size_t i = 0; i < TEST_COUNT(table); i++)
        if (!check(!endpoints_parse(&e, str_of(table[i]), &arena)))
            printf("#   %s\n", table[i]);
}

static void lists_are_bounded(void)
{
    struct buf text = {0};
    struct endpoints e;

    for (int i = 1; i <= ENDPOINTS_MAX; i++)
        buf_print(&text, "host:%d;", i);
    check(endpoints_parse(&e, buf_str(&text), &arena));
    check_number((long)e.count, ENDPOINTS_MAX);
    check_number(e.items[ENDPOINTS_MAX - 1].port, ENDPOINTS_MAX);
    buf_add_text(&text, "unix:/one-more");
    check(!endpoints_parse(&e, buf_str(&text), &arena));
    buf_done(&text);
}

static const struct test_case cases[] = {
    TEST_CASE(endpoints_are_read), TEST_CASE(all_else_is_none),      TEST_CASE(paths_fit),
    TEST_CASE(lists_are_read),     TEST_CASE(bad_lists_are_refused), TEST_CASE(lists_are_bounded),
};

int main(int argc, char **argv)
{
    int status = test_main(cases, TEST_COUNT(cases), argc, argv);

    arena_done(&arena);
    return status;
}

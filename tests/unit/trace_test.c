#include "test.h"

#include "message/trace.h"

#include <stdlib.h>
#include <time.h>

static struct arena arena;
static struct buf field;

static void make_envelope(struct envelope *e, struct str helo, int recipients)
{
    envelope_init(e, &arena);
    e->id = 0x0123456789abcdef;
    e->arrived = 1795262400123;
    e->helo = helo;
    for (int i = 0; i < recipients; i++) {
        const struct rcpt_params params = {0};
        char text[64];
        struct path path;

        snprintf(text, sizeof text, "user%d@example.com", i);
        check_number(path_parse_address(&path, arena_str(&arena, str_of(text)), &arena), PATH_OK);
        check(envelope_add(e, &path, &params));
    }
}

struct written {
    const char *name, *protocol, *tls;
};

static const char *write_field_of(struct str helo, const char *client, int recipients, const struct written *w)
{
    struct envelope e;
    struct address address;

    make_envelope(&e, helo, recipients);
    check(address_parse(&address, str_of(client)));
    buf_clear(&field);
    trace_received(
        &field, &e,
        &(struct trace){.client = &address, .client_name = w->name, .me = "mx.example.org", .protocol = w->protocol, .tls = w->tls});
    arena_done(&arena);
    return buf_text(&field);
}

static const char *write_field_with(struct str helo, const char *client, int recipients, const char *protocol, const char *tls)
{
    return write_field_of(helo, client, recipients, &(struct written){"", protocol, tls});
}

static const char *write_field_named(const char *name, const char *client)
{
    return write_field_of(STR("client.example"), client, 1, &(struct written){name, "ESMTP", ""});
}

static const char *write_field(struct str helo, const char *client, int recipients, const char *protocol)
{
    return write_field_with(helo, client, recipients, protocol, "");
}

static void the_form_is_the_documented_one(void)
{
    check_text(write_field(STR("client.example"), "192.0.2.1", 1, "ESMTP"),
               "Received: from client.example ([192.0.2.1])\r\n\tby mx.example.org with ESMTP id 0123456789abcdef\r\n"
               "\tfor <user0@example.com>; Sat, 21 Nov 2026 12:00:00 +0000\r\n");
    check_text(write_field(STR("[IPv6:2001:db8::1]"), "2001:db8::1", 2, "UTF8SMTP"),
               "Received: from [IPv6:2001:db8::1] ([IPv6:2001:db8::1])\r\n\tby mx.example.org with UTF8SMTP id 0123456789abcdef;\r\n"
               "\tSat, 21 Nov 2026 12:00:00 +0000\r\n");
    check_text(write_field_with(STR("client.example"), "192.0.2.1", 1, "ESMTPSA", "using TLSv1.3 with cipher TLS_AES_256_GCM_SHA384, client certificate none"),
               "Received: from client.example ([192.0.2.1])\r\n\t(using TLSv1.3 with cipher TLS_AES_256_GCM_SHA384, client certificate none)\r\n"
               "\tby mx.example.org with ESMTPSA id 0123456789abcdef\r\n\tfor <user0@example.com>; Sat, 21 Nov 2026 12:00:00 +0000\r\n");
}

/* RFC 5322 section 2.2: a field starts at the margin, its other lines do not; no octet but printable ASCII, space, tab and CR LF pairs. */
static bool is_one_field(void)
{
    int depth = 0;

    if (!str_starts(buf_str(&field), STR("Received: from")) || !str_ends(buf_str(&field), STR("\r\n")))
        return false;
    for (size_t i = 0; i < field.length; i++) {
        unsigned char c = (unsigned char)field.data[i];
        bool last = i + 2 == field.length;

        if (c == '\r' && i + 1 < field.length && field.data[i + 1] == '\n') {
            if (!last && field.data[i + 2] != '\t' && field.data[i + 2] != ' ')
                return false;
            i++;
        } else if (c == '(' || c == ')') {
            depth += c == '(' ? 1 : -1;
            if (depth < 0 || depth > 1)
                return false;
        } else if ((c < 32 && c != '\t') || c > 126 || c == '\\') {
            return false;
        }
    }
    return depth == 0;
}

static void no_helo_can_leave_its_place(void)
{
    static const struct str helos[] = {
        {"", 0}, {"a\r\nX: y", 7}, {"a\nX: y", 6}, {"a\r\n\r\nbody", 9}, {"(", 1}, {")", 1}, {"))) by evil", 11}, {"\\", 1}, {"a\\)", 3}, {"a b", 3}, {"a; Mon, 1 Jan", 13},
        {"\0", 1}, {"\x1b[2J", 4}, {"\x7f", 1}, {"\xc3\xa4", 2}, {"\xff", 1}, {"b\xc3\xbc" "cher.example", 14}, {"[not an address]", 16}, {"[192.0.2.1", 10}, {"\"quoted\"", 8},
        {"<a@b>", 5}, {"-", 1}, {"a..b", 4}, {"unknown\r\n\tby x", 14}, {"\t", 1}, {" ", 1}, {"a,b", 3}, {"a:b", 3},
    };

    for (size_t i = 0; i < TEST_COUNT(helos); i++) {
        write_field(helos[i], "192.0.2.1", 1, "SMTP");
        if (!check(is_one_field()) || !check_has(buf_text(&field), "[192.0.2.1]"))
            printf("#   row %zu: %s\n", i, buf_text(&field));
    }
    for (int c = 0; c < 256 && !test_failed(); c++) {
        char helo[] = {'a', (char)c, 'b'};

        write_field((struct str){helo, sizeof helo}, "192.0.2.1", 1, "SMTP");
        if (!check(is_one_field()))
            printf("#   octet %d: %s\n", c, buf_text(&field));
    }
}

/* TCP-info of RFC 5321 section 4.4: the name stands before the address, in the same brackets. */
static void a_name_stands_beside_the_address(void)
{
    static const struct {
        const char *name, *client, *expected;
    } table[] = {
        {"mail.example", "192.0.2.1", "Received: from client.example (mail.example [192.0.2.1])\r\n\tby "},
        {"Mail.Example", "192.0.2.1", "Received: from client.example (Mail.Example [192.0.2.1])\r\n\tby "},
        {"a_b.example", "2001:db8::1", "Received: from client.example (a_b.example [IPv6:2001:db8::1])\r\n\tby "},
        {"xn--bcher-kva.example", "192.0.2.1", "Received: from client.example (xn--bcher-kva.example [192.0.2.1])\r\n\tby "},
        {"", "192.0.2.1", "Received: from client.example ([192.0.2.1])\r\n\tby "},
        /* and in the next line what has no room */
        {"a-rather-long-name-of-a-host.department.example", "192.0.2.1",
         "Received: from client.example (a-rather-long-name-of-a-host.department.example\r\n\t[192.0.2.1])\r\n\tby "},
        {"a-rather-long-name-of-a-host-that-sends-mail.department.example", "192.0.2.1",
         "Received: from client.example\r\n\t(a-rather-long-name-of-a-host-that-sends-mail.department.example [192.0.2.1])\r\n\tby "},
    };

    for (size_t i = 0; i < TEST_COUNT(table); i++)
        if (!check(str_starts(str_of(write_field_named(table[i].name, table[i].client)), str_of(table[i].expected))))
            printf("#   row %zu: %s\n", i, buf_text(&field));
}

/* It was read from a zone that anybody may write: what is no host is left out, here too. */
static void no_name_can_leave_its_place(void)
{
    static const char *const names[] = {
        "a\r\nX: y", "a\nX: y", "a\r\n\tby evil", ")", "a.example)", "(a", "a (b)", "a b", "a;b", "a\\", "\x1b[2J", "\x7f", "\xff",
        "b\xc3\xbc" "cher.example",
        "[192.0.2.9]", "[IPv6:::1]", "192.0.2.9])", ".", "a..b", "\"a\"", "<a@b>", "a,b", "a:b", " ", "\t", "*.example", "a%20b", "a/b",
    };

    for (size_t i = 0; i < TEST_COUNT(names); i++) {
        write_field_named(names[i], "192.0.2.1");
        if (!check(is_one_field()) || !check_has(buf_text(&field), "from client.example ([192.0.2.1])\r\n"))
            printf("#   row %zu: %s\n", i, buf_text(&field));
    }
    for (int c = 1; c < 256 && !test_failed(); c++) {
        const char name[] = {'a', (char)c, 'b', '\0'};

        write_field_named(name, "192.0.2.1");
        if (!check(is_one_field()))
            printf("#   octet %d: %s\n", c, buf_text(&field));
    }
}

/* RFC 5322 section 2.1.1: no more than 998 octets, whatever a client says. */
static void no_line_is_longer_than_a_line_may_be(void)
{
    static char helo[4096];

    for (size_t length = 1; length < sizeof helo; length += 97) {
        size_t start = 0;

        memset(helo, length % 2 == 0 ? 'a' : '!', length);
        write_field((struct str){helo, length}, "192.0.2.1", 1, "ESMTP");
        check(is_one_field());
        for (size_t i = 0; i < field.length; i++)
            if (field.data[i] == '\n') {
                check(i + 1 - start <= 1000);
                start = i + 1;
            }
    }
}

/* "Lines stay within 78 octets where their words allow it": all words here are shorter. */
static void lines_are_folded_between_their_words(void)
{
    static const struct {
        const char *helo, *me;
        const char *recipient, *name;
    } table[] = {
        {"client.example", "mx.example.org", "user@example.com", ""},
        {"client.example", "mx.example.org", "user@example.com", "a-rather-long-name-of-a-host-that-sends-mail.department.example.com"},
        {"a-rather-long-name-of-a-host-that-sends-mail.department.example.com", "mx.example.org", "user@example.com", "client.example"},
        {"client.example", "a-rather-long-name-of-a-host-that-takes-mail.department.example.com", "user@example.com", ""},
        {"client.example", "mx.example.org", "somebody.with.a.rather.long.name@a.rather.long.domain.example.com", ""},
        {"not a host but a text of some forty octets", "mx.example.org", "user@example.com", ""},
    };

    for (size_t i = 0; i < TEST_COUNT(table); i++) {
        struct envelope e;
        struct address address;
        struct path path;
        const struct rcpt_params params = {0};
        size_t start = 0;

        make_envelope(&e, str_of(table[i].helo), 0);
        check_number(path_parse_address(&path, str_of(table[i].recipient), &arena), PATH_OK);
        check(envelope_add(&e, &path, &params));
        check(address_parse(&address, STR("2001:db8:1111:2222:3333:4444:5555:6666")));
        buf_clear(&field);
        trace_received(
            &field, &e,
            &(struct trace){.client = &address, .client_name = table[i].name, .me = table[i].me, .protocol = "ESMTP", .tls = ""});
        arena_done(&arena);
        for (size_t k = 0; k < field.length; k++)
            if (field.data[k] == '\n') {
                if (!check(k - 1 - start <= 78))
                    printf("#   %.*s\n", (int)(k - 1 - start), field.data + start);
                start = k + 1;
            }
    }
}

/* A quoted local part may hold what ends other things. */
static void recipients_stay_in_their_brackets(void)
{
    struct envelope e;
    struct address address;
    struct path path;
    const struct rcpt_params params = {0};

    make_envelope(&e, STR("a.example"), 0);
    check_number(path_parse_address(&path, STR("\"a> ; (b) \\\" x\"@example.com"), &arena), PATH_OK);
    check(envelope_add(&e, &path, &params));
    check(address_parse(&address, STR("192.0.2.1")));
    buf_clear(&field);
    trace_received(&field, &e,
                   &(struct trace){.client = &address, .client_name = "", .me = "mx.example.org", .protocol = "ESMTP", .tls = ""});
    check_has(buf_text(&field), "for <\"a> ; (b) \\\" x\"@example.com>;");
    arena_done(&arena);
}

static const struct test_case cases[] = {
    TEST_CASE(the_form_is_the_documented_one),
    TEST_CASE(no_helo_can_leave_its_place),
    TEST_CASE(a_name_stands_beside_the_address),
    TEST_CASE(no_name_can_leave_its_place),
    TEST_CASE(no_line_is_longer_than_a_line_may_be),
    TEST_CASE(lines_are_folded_between_their_words),
    TEST_CASE(recipients_stay_in_their_brackets),
};

int main(int argc, char **argv)
{
    int status;

    setenv("TZ", "UTC0", 1);
    tzset();
    status = test_main(cases, TEST_COUNT(cases), argc, argv);
    buf_done(&field);
    return status;
}

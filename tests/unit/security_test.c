#include "test.h"

#include "deliverd/security.h"

/* What the configuration, the route and its port make of each other. */
static const struct {
    enum tls_policy key;
    bool skipverify, fallback;
    const char *rule; /* NULL: the route has none */
    bool login;
    int port;
    enum tls_policy policy;
    bool from_first_byte, verify, may_fall_back;
} table[] = {
    {TLS_MAY, true, true, NULL, false, 25, TLS_MAY, false, false, true},
    {TLS_MAY, false, true, NULL, false, 25, TLS_MAY, false, true, true},
    {TLS_MAY, true, false, NULL, false, 25, TLS_MAY, false, false, false},
    {TLS_NONE, true, true, NULL, false, 25, TLS_NONE, false, false, false},
    {TLS_ENCRYPT, true, true, NULL, false, 25, TLS_ENCRYPT, false, false, false},
    {TLS_ENCRYPT, false, true, NULL, false, 25, TLS_ENCRYPT, false, false, false},
    {TLS_VERIFY, true, true, NULL, false, 25, TLS_VERIFY, false, true, false},
    {TLS_VERIFY, true, true, "none", false, 25, TLS_NONE, false, false, false},
    {TLS_NONE, true, true, "verify", false, 25, TLS_VERIFY, false, true, false},
    {TLS_MAY, true, true, "smtps", false, 2465, TLS_ENCRYPT, true, false, false},
    {TLS_MAY, true, true, "may+smtps", false, 2465, TLS_MAY, true, false, false},
    {TLS_MAY, true, true, "verify+smtps", false, 2465, TLS_VERIFY, true, true, false},
    {TLS_MAY, true, true, NULL, false, 465, TLS_MAY, true, false, false},
    {TLS_MAY, true, true, "verify", false, 465, TLS_VERIFY, true, true, false},
    {TLS_NONE, true, true, NULL, false, 465, TLS_NONE, false, false, false},
    {TLS_MAY, true, true, NULL, true, 25, TLS_VERIFY, false, true, false},
    {TLS_NONE, true, true, NULL, true, 25, TLS_VERIFY, false, true, false},
    {TLS_MAY, true, true, "may", true, 25, TLS_ENCRYPT, false, false, false},
    {TLS_MAY, true, true, "encrypt", true, 587, TLS_ENCRYPT, false, false, false},
    {TLS_MAY, true, true, "smtps", true, 465, TLS_ENCRYPT, true, false, false},
    {TLS_MAY, true, true, "none", true, 25, TLS_ENCRYPT, false, false, false}, /* route.c refuses it before */
};

static void the_rule_of_a_hop_is_found(void)
{
    struct secrets *secrets = secrets_new("/nonexistent/secret.key");
    const struct security_means means = {.secrets = secrets};

    for (size_t i = 0; i < TEST_COUNT(table); i++) {
        const struct conf conf = {.deliverd_remote_tls = table[i].key, .deliverd_remote_tls_skipverify = table[i].skipverify,
                                  .deliverd_remote_tls_fallback = table[i].fallback};
        struct hop hop = {.host = "mx.example.org", .port = table[i].port, .login = table[i].login ? "me" : NULL, .password = table[i].login ? "plain" : NULL};
        struct security s;
        struct status status;

        hop.has_tls_rule = table[i].rule != NULL && check(tls_rule_parse(&hop.tls_rule, str_of(table[i].rule)));
        status = security_prepare(&s, &means, &conf, &hop, 0);
        if (check(status_is_ok(&status)) + check_number(s.client.policy, table[i].policy) + check(s.client.from_first_byte == table[i].from_first_byte) +
                check(s.client.verify == table[i].verify) + check(s.may_fall_back == table[i].may_fall_back) +
                check(s.client.plain_after == table[i].may_fall_back) + check((s.client.secret.length > 0) == table[i].login) < 7)
            printf("#   row %zu\n", i);
        security_done(&s);
    }
    secrets_free(&secrets);
}

/* A password that cannot be opened is no password: nothing is sent. */
static void a_password_without_its_key_is_none(void)
{
    struct secrets *secrets = secrets_new("/nonexistent/secret.key");
    const struct security_means means = {.secrets = secrets};
    const struct conf conf = {.deliverd_remote_tls = TLS_MAY};
    const struct hop hop = {.route = 7, .host = "mx.example.org", .port = 25, .login = "me", .password = "{sealed}AAAA"};
    struct security s;
    struct status status = security_prepare(&s, &means, &conf, &hop, 0);

    check_number(status.code, 454);
    check_has(status.text, "route 7");
    check_has(status.text, "/nonexistent/secret.key");
    check_number(s.client.secret.length, 0);
    security_done(&s);
    secrets_free(&secrets);
}

static const struct test_case cases[] = {
    TEST_CASE(the_rule_of_a_hop_is_found),
    TEST_CASE(a_password_without_its_key_is_none),
};

int main(int argc, char **argv)
{
    return test_main(cases, TEST_COUNT(cases), argc, argv);
}

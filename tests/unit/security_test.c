#include "test.h"

#include "deliverd/security.h"

/* A password that cannot be opened is no password: nothing is sent. */
static void a_password_without_its_key_is_none(void)
{
    struct secrets *secrets = secrets_new("/nonexistent/secret.key");
    const struct security_means means = {.secrets = secrets};
    const struct hop hop = {.route = 7, .host = "mx.example.org", .port = 25, .login = "me", .password = "{sealed}AAAA"};
    struct security s;
    struct status status = security_open(&s, &means, &hop, 0);

    check_number(status.code, 454);
    check_has(status.text, "route 7");
    check_has(status.text, "/nonexistent/secret.key");
    check_number(s.client.secret.length, 0);
    security_done(&s);
    secrets_free(&secrets);
}

/* What comes after a fallback starts from the protection again. */
static void a_fallback_has_nothing_of_tls(void)
{
    const struct protection p = {.policy = TLS_MAY, .may_fall_back = true, .wanted = {.host = "mx.example.org", .proof = TLS_PROOF_NAME}};
    struct security s = {0};

    security_protect(&s, &p);
    check(s.client.plain_after && s.client.policy == TLS_MAY && s.client.wanted.proof == TLS_PROOF_NAME && !s.client.weakened);
    security_fall_back(&s);
    check(!s.client.plain_after && s.client.policy == TLS_NONE && s.client.wanted.proof == TLS_PROOF_ANY && s.client.weakened);
    security_protect(&s, &p);
    check(s.client.plain_after && s.client.policy == TLS_MAY && s.client.wanted.proof == TLS_PROOF_NAME && !s.client.weakened);
}

static const struct test_case cases[] = {
    TEST_CASE(a_fallback_has_nothing_of_tls),
    TEST_CASE(a_password_without_its_key_is_none),
};

int main(int argc, char **argv)
{
    return test_main(cases, TEST_COUNT(cases), argc, argv);
}

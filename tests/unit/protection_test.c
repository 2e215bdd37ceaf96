#include "test.h"

#include "route/protection.h"

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

static bool ask(struct protection *p, const struct conf *conf, struct hop *hop, const char *rule)
{
    struct resolved found = {.canonical = hop->host, .status = status_ok()};
    const struct protection_question question = {.conf = conf, .hop = hop, .host = hop->host, .found = &found};

    hop->has_tls_rule = rule != NULL && check(tls_rule_parse(&hop->tls_rule, str_of(rule)));
    protection_find(p, &question, NULL);
    return check(status_is_ok(&p->status));
}

static void the_rule_of_a_hop_is_found(void)
{
    for (size_t i = 0; i < TEST_COUNT(table); i++) {
        const struct conf conf = {.deliverd_remote_tls = table[i].key, .deliverd_remote_tls_skipverify = table[i].skipverify,
                                  .deliverd_remote_tls_fallback = table[i].fallback};
        struct hop hop = {.host = "mx.example.org", .port = table[i].port, .login = table[i].login ? "me" : NULL};
        struct protection p;

        if (ask(&p, &conf, &hop, table[i].rule) + check_number(p.policy, table[i].policy) + check(p.from_first_byte == table[i].from_first_byte) +
                check((p.wanted.proof == TLS_PROOF_NAME) == table[i].verify) + check(p.may_fall_back == table[i].may_fall_back) +
                check_text(p.wanted.host, "mx.example.org") + check_number(p.dane, DANE_OFF) < 7)
            printf("#   row %zu\n", i);
    }
}

/* What others publish counts only where nobody here has said anything. */
static void a_rule_of_ours_heeds_nobody(void)
{
    const struct conf may = {.deliverd_remote_tls = TLS_MAY}, none = {.deliverd_remote_tls = TLS_NONE};

    check(protection_heeds(&may, &(struct hop){0}));
    check(!protection_heeds(&none, &(struct hop){0}));
    check(!protection_heeds(&may, &(struct hop){.has_tls_rule = true}));
    check(!protection_heeds(&may, &(struct hop){.login = "me"}));
    check(!protection_heeds(&may, &(struct hop){.optional = true}));
}

/* RFC 8460 section 3: a report goes whatever TLS is worth. */
static void a_report_is_sent_under_any_key(void)
{
    const struct conf conf = {.deliverd_remote_tls = TLS_VERIFY, .deliverd_remote_tls_fallback = true};
    struct hop hop = {.host = "mx.example.org", .port = 25, .optional = true};
    struct protection p;

    ask(&p, &conf, &hop, NULL);
    check_number(p.policy, TLS_MAY);
    check_number(p.wanted.proof, TLS_PROOF_ANY);
    check(p.may_fall_back);
    ask(&p, &conf, &hop, "verify");
    check_number(p.policy, TLS_VERIFY);
}

static const char *pattern[] = {"mx.example.org"};

static void add_sts(struct protection *p, enum sts_mode mode, const char *host)
{
    const struct sts_answer sts = {.found = true, .policy = {.mode = mode, .mx = pattern, .mx_count = 1}};

    *p = (struct protection){.status = status_ok(), .policy = TLS_MAY, .may_fall_back = true, .heeds = true};
    protection_add_sts(p, &sts, "example.org", host);
}

static void a_policy_of_the_destination_adds_to_ours(void)
{
    struct protection p;

    add_sts(&p, STS_ENFORCE, "mx.example.org");
    check(status_is_ok(&p.status) && p.policy == TLS_VERIFY && p.wanted.proof == TLS_PROOF_NAME && !p.may_fall_back && p.origin == PROTECTION_STS);
    add_sts(&p, STS_ENFORCE, "other.example.org");
    check_number(p.status.code, 451);
    check_number(p.failure, TLS_FAILURE_VALIDATION);
    add_sts(&p, STS_TESTING, "other.example.org");
    check(status_is_ok(&p.status) && p.policy == TLS_MAY && p.may_fall_back);
    check_number(p.failure, TLS_FAILURE_VALIDATION);
    add_sts(&p, STS_TESTING, "mx.example.org");
    check(status_is_ok(&p.status) && p.policy == TLS_MAY && p.failure == TLS_FAILURE_NONE);
    add_sts(&p, STS_NONE, "other.example.org");
    check(status_is_ok(&p.status) && p.policy == TLS_MAY && p.failure == TLS_FAILURE_NONE);
}

/* Whether there is a policy is not known: the mail must wait, not go without. */
static void a_database_that_does_not_answer_is_no_permission(void)
{
    const struct sts_answer sts = {.trouble = STS_DATABASE, .reason = "locked"};
    struct protection p = {.status = status_ok(), .policy = TLS_MAY};

    protection_add_sts(&p, &sts, "example.org", "mx.example.org");
    check_number(p.status.code, 451);
    check_has(p.status.text, "locked");
}

static const struct test_case cases[] = {
    TEST_CASE(the_rule_of_a_hop_is_found),
    TEST_CASE(a_rule_of_ours_heeds_nobody),
    TEST_CASE(a_report_is_sent_under_any_key),
    TEST_CASE(a_policy_of_the_destination_adds_to_ours),
    TEST_CASE(a_database_that_does_not_answer_is_no_permission),
};

int main(int argc, char **argv)
{
    return test_main(cases, TEST_COUNT(cases), argc, argv);
}

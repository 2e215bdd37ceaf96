#include "test.h"

#include "transfer/token_answer.h"

static const struct str no_secrets[TOKEN_SECRETS];

/* Reads an answer with HTTP's 200. */
static bool read_answer(const char *body, struct token_answer *a)
{
    return token_answer_read(200, str_of(body), no_secrets, a);
}

static void a_token_is_taken(void)
{
    struct token_answer a;

    check(read_answer("{\"access_token\":\"aZ09-._~+/==\",\"token_type\":\"bEaReR\",\"expires_in\":3599,\"scope\":\"x\","
                      "\"refresh_token\":\"new one\"}", &a));
    check_str(buf_str(&a.access_token), STR("aZ09-._~+/=="));
    check_str(buf_str(&a.refresh_token), STR("new one"));
    check_number(a.life_s, 3599);
    check_text(a.reason, "");
    token_answer_done(&a);
    check(read_answer("{\"access_token\":\"a\"}", &a));
    check_number(a.refresh_token.length, 0);
    check_number(a.life_s, TOKEN_LIFE_UNSAID_S);
    token_answer_done(&a);
}

static void lives_have_bounds(void)
{
    static const struct {
        const char *said;
        int64_t life;
    } table[] = {
        {"3600", 3600}, {"\"1200\"", 1200}, {"60", 60}, {"59", 60}, {"0", 60}, {"-5", 60}, {"86400", 86400}, {"86401", 86400},
        {"9223372036854775807", 86400}, {"\"9223372036854775807\"", 86400},
        {"null", 3600}, {"\"soon\"", 3600}, {"[]", 3600}, {"\"-5\"", 3600},
    };

    for (size_t i = 0; i < TEST_COUNT(table); i++) {
        struct token_answer a;
        char body[128];

        snprintf(body, sizeof body, "{\"access_token\":\"a\",\"expires_in\":%s}", table[i].said);
        if (!check(read_answer(body, &a)) || !check_number(a.life_s, table[i].life))
            printf("#   %s\n", table[i].said);
        token_answer_done(&a);
    }
}

static void what_is_no_token_is_refused(void)
{
    static const struct {
        const char *body, *reason;
    } table[] = {
        {"", "the answer is no JSON object"}, {"[]", "the answer is no JSON object"},
        {"{\"access_token\":\"a\"", "the answer is no JSON object"},
        {"{\"access_token\":\"a\",\"access_token\":\"b\"}", "the answer is no JSON object"},
        {"{}", "the answer has no access_token"}, {"{\"access_token\":7}", "the answer has no access_token"},
        {"{\"access_token\":null}", "the answer has no access_token"},
        {"{\"access_token\":\"\"}", "the access_token of"}, {"{\"access_token\":\"==\"}", "the access_token of"},
        {"{\"access_token\":\"a=b\"}", "the access_token of"}, {"{\"access_token\":\"a b\"}", "the access_token of"},
        {"{\"access_token\":\"a\\u0001b\"}", "the access_token of"}, {"{\"access_token\":\"a\\r\\nRSET\"}", "the access_token of"},
        {"{\"access_token\":\"a\\u00e9\"}", "the access_token of"}, {"{\"access_token\":\"a,b\"}", "the access_token of"},
        {"{\"access_token\":\"a\",\"token_type\":\"mac\"}", "another type than Bearer"},
        {"{\"access_token\":\"a\",\"token_type\":\"\"}", "another type"},
        {"{\"access_token\":\"a\",\"refresh_token\":\"a\\nb\"}", "the refresh_token of"},
        {"{\"access_token\":\"a\",\"refresh_token\":\"\\u00e9\"}", "the refresh_"},
        {"{\"access_token\":\"a\",\"error\":\"invalid_scope\"}", "invalid_scope"},
    };

    for (size_t i = 0; i < TEST_COUNT(table); i++) {
        struct token_answer a;

        if (!check(!read_answer(table[i].body, &a)) || !check_has(a.reason, table[i].reason) || !check_number(a.access_token.length, 0))
            printf("#   %s\n", table[i].body);
        check(!a.refused);
        token_answer_done(&a);
    }
}

/* An answer with a token of LENGTH bytes. */
static bool takes_length(const char *name, int length)
{
    struct buf body = {0};
    struct token_answer a;
    bool taken;

    buf_add_text(&body, "{");
    if (strcmp(name, "access_token") != 0)
        buf_add_text(&body, "\"access_token\":\"a\",");
    buf_print(&body, "\"%s\":\"", name);
    for (int i = 0; i < length; i++)
        buf_add_byte(&body, 'a');
    buf_add_text(&body, "\"}");
    taken = token_answer_read(200, buf_str(&body), no_secrets, &a);
    token_answer_done(&a);
    buf_done(&body);
    return taken;
}

static void tokens_have_a_length(void)
{
    check(takes_length("access_token", TOKEN_MAX));
    check(!takes_length("access_token", TOKEN_MAX + 1));
    check(takes_length("refresh_token", TOKEN_MAX));
    check(!takes_length("refresh_token", TOKEN_MAX + 1));
}

static void errors_are_said_in_one_printable_line(void)
{
    struct token_answer a;

    check(!token_answer_read(400, STR("{\"error\":\"invalid_grant\",\"error_description\":\"expired\\r\\nor \\u001b[31mrevoked \\u00e9\"}"),
                             no_secrets, &a));
    check_text(a.reason, "invalid_grant: expired  or  [31mrevoked ??");
    check(a.refused);
    token_answer_done(&a);
    check(!token_answer_read(401, STR("{\"error\":\"invalid_client\",\"error_description\":\"\"}"), no_secrets, &a));
    check_text(a.reason, "invalid_client");
    check(!a.refused);
    token_answer_done(&a);
    check(!token_answer_read(502, STR("<html>Bad gateway</html>"), no_secrets, &a));
    check_text(a.reason, "HTTP status 502");
    token_answer_done(&a);
    /* A token counts only with 200. */
    check(!token_answer_read(400, STR("{\"access_token\":\"a\"}"), no_secrets, &a));
    check_text(a.reason, "HTTP status 400");
    check_number(a.access_token.length, 0);
    token_answer_done(&a);
}

static void long_errors_are_cut(void)
{
    struct buf body = {0};
    struct token_answer a;

    buf_add_text(&body, "{\"error\":\"");
    for (int i = 0; i < 1000; i++)
        buf_add_byte(&body, 'e');
    buf_add_text(&body, "\",\"error_description\":\"");
    for (int i = 0; i < 5000; i++)
        buf_add_byte(&body, 'd');
    buf_add_text(&body, "\"}");
    check(!token_answer_read(400, buf_str(&body), no_secrets, &a));
    check(strlen(a.reason) > 100 && strlen(a.reason) < TOKEN_REASON_SIZE);
    check_has(a.reason, "eee: ddd");
    token_answer_done(&a);
    buf_done(&body);
}

static void secrets_are_not_repeated(void)
{
    const struct str secrets[TOKEN_SECRETS] = {STR("hunter2"), STR("1//refresh")};
    static const struct {
        const char *body, *reason;
    } table[] = {
        {"{\"error\":\"invalid_grant\",\"error_description\":\"1//refresh is spent\"}", "invalid_grant: (its words repeat a secret)"},
        {"{\"error\":\"e\",\"error_description\":\"wrong secret h\\u0075nter2\"}", "e: (its words repeat a secret)"},
        {"{\"error\":\"hunter2\",\"error_description\":\"x\"}", "an error that repeats a secret"},
    };
    struct buf body = {0};
    struct token_answer a;

    for (size_t i = 0; i < TEST_COUNT(table); i++) {
        check(!token_answer_read(400, str_of(table[i].body), secrets, &a));
        check_text(a.reason, table[i].reason);
        check_number(a.refused, i == 0);
        token_answer_done(&a);
    }
    /* Also where the cut would fall into the secret. */
    buf_add_text(&body, "{\"error\":\"e\",\"error_description\":\"");
    for (int i = 0; i < 235; i++)
        buf_add_byte(&body, ' ');
    buf_add_text(&body, "hunter2\"}");
    check(!token_answer_read(400, buf_str(&body), secrets, &a));
    check(strstr(a.reason, "hunt") == NULL);
    token_answer_done(&a);
    buf_done(&body);
}

static const struct test_case cases[] = {
    TEST_CASE(a_token_is_taken),
    TEST_CASE(lives_have_bounds),
    TEST_CASE(what_is_no_token_is_refused),
    TEST_CASE(tokens_have_a_length),
    TEST_CASE(errors_are_said_in_one_printable_line),
    TEST_CASE(long_errors_are_cut),
    TEST_CASE(secrets_are_not_repeated),
};

int main(int argc, char **argv)
{
    return test_main(cases, TEST_COUNT(cases), argc, argv);
}

#include "test.h"

#include "transfer/token_state.h"

enum { START = 1000000, LIFE_S = 3600 };

static const struct status failure = {.code = 454, .class = 4, .subject = 7, .text = "no answer"};

static struct token_state with_token(struct str token)
{
    struct token_state s = {0};

    token_state_fetched(&s, token, LIFE_S, START);
    return s;
}

static void a_first_token_is_fetched(void)
{
    struct token_state s = {0};

    check_number(token_state_next(&s, START), TOKEN_FETCH);
    check(!token_state_is_good(&s, START));
    token_state_fetched(&s, STR("t"), LIFE_S, START);
    check_number(token_state_next(&s, START), TOKEN_USE);
    check_str(buf_str(&s.token), STR("t"));
    token_state_done(&s);
}

static void it_is_renewed_before_it_expires(void)
{
    struct token_state s = with_token(STR("t"));
    const int64_t end = START + LIFE_S * 1000;

    check_number(token_state_next(&s, end - TOKEN_EARLY_MS - 1), TOKEN_USE);
    check_number(token_state_next(&s, end - TOKEN_EARLY_MS), TOKEN_FETCH);
    check(token_state_is_good(&s, end - 1));
    check(!token_state_is_good(&s, end));
    check_number(token_state_next(&s, end), TOKEN_FETCH);
    token_state_fetched(&s, STR("u"), LIFE_S, end);
    check_number(token_state_next(&s, end), TOKEN_USE);
    check_str(buf_str(&s.token), STR("u"));
    token_state_done(&s);
}

static void half_of_a_short_life_is_used(void)
{
    struct token_state s = {0};

    token_state_fetched(&s, STR("t"), 60, START);
    check_number(token_state_next(&s, START + 29999), TOKEN_USE);
    check_number(token_state_next(&s, START + 30000), TOKEN_FETCH);
    check(token_state_is_good(&s, START + 59999) && !token_state_is_good(&s, START + 60000));
    token_state_done(&s);
}

static void after_a_failure_a_good_token_is_used_on(void)
{
    struct token_state s = with_token(STR("t"));
    const int64_t renew = START + LIFE_S * 1000 - TOKEN_EARLY_MS, end = renew + TOKEN_EARLY_MS;

    token_state_failed(&s, &failure, renew);
    check_number(token_state_next(&s, renew), TOKEN_USE);
    check_number(token_state_next(&s, renew + TOKEN_PAUSE_MS - 1), TOKEN_USE);
    check_number(token_state_next(&s, renew + TOKEN_PAUSE_MS), TOKEN_FETCH);
    token_state_failed(&s, &failure, end - 1);
    check_number(token_state_next(&s, end - 1), TOKEN_USE);
    check_number(token_state_next(&s, end), TOKEN_FAIL);
    check_text(s.failure.text, "no answer");
    check_number(token_state_next(&s, end - 1 + TOKEN_PAUSE_MS), TOKEN_FETCH);
    token_state_done(&s);
}

static void failures_are_as_bad_as_they_are(void)
{
    struct token_state s = {0};
    const int64_t end = START + LIFE_S * 1000;

    check_text(token_state_event(&s, START), "token-failed");
    token_state_fetched(&s, STR("t"), LIFE_S, START);
    token_state_failed(&s, &failure, end - 1);
    check_text(token_state_event(&s, end - 1), "token-not-renewed");
    check_text(token_state_event(&s, end), "token-expired");
    token_state_done(&s);
}

static void the_endpoint_is_left_alone_after_a_failure(void)
{
    struct token_state s = {0};

    token_state_failed(&s, &failure, START);
    check_number(token_state_next(&s, START), TOKEN_FAIL);
    check_number(token_state_next(&s, START + TOKEN_PAUSE_MS - 1), TOKEN_FAIL);
    check_number(token_state_next(&s, START + TOKEN_PAUSE_MS), TOKEN_FETCH);
    check(!s.had_one);
    /* A success ends the pause. */
    token_state_fetched(&s, STR("t"), LIFE_S, START + TOKEN_PAUSE_MS);
    check_number(token_state_next(&s, START + TOKEN_PAUSE_MS), TOKEN_USE);
    token_state_done(&s);
}

static void a_refused_token_is_not_used_again(void)
{
    struct token_state s = with_token(STR("t"));

    token_state_refuse(&s, STR("older"), &failure, START);
    check_number(token_state_next(&s, START), TOKEN_USE);
    token_state_refuse(&s, STR("t"), &failure, START);
    check(!token_state_is_good(&s, START));
    check_number(token_state_next(&s, START), TOKEN_FETCH);
    token_state_done(&s);
}

static void token_after_token_refused_is_a_pause(void)
{
    struct token_state s = with_token(STR("t"));

    token_state_refuse(&s, STR("t"), &failure, START);
    token_state_refuse(&s, STR("t"), &failure, START); /* by a second connection: not another refusal */
    token_state_fetched(&s, STR("u"), LIFE_S, START + 10);
    token_state_refuse(&s, STR("u"), &failure, START + 20);
    check_number(token_state_next(&s, START + 20), TOKEN_FAIL);
    check_text(s.failure.text, "no answer");
    check_number(token_state_next(&s, START + 20 + TOKEN_PAUSE_MS), TOKEN_FETCH);
    /* Refusals far apart are none in a row. */
    token_state_fetched(&s, STR("v"), LIFE_S, START + 20 + TOKEN_PAUSE_MS);
    token_state_refuse(&s, STR("v"), &failure, START + 20 + TOKEN_PAUSE_MS);
    check_number(token_state_next(&s, START + 20 + TOKEN_PAUSE_MS), TOKEN_FETCH);
    token_state_done(&s);
}

static const struct test_case cases[] = {
    TEST_CASE(a_first_token_is_fetched),
    TEST_CASE(it_is_renewed_before_it_expires),
    TEST_CASE(half_of_a_short_life_is_used),
    TEST_CASE(after_a_failure_a_good_token_is_used_on),
    TEST_CASE(failures_are_as_bad_as_they_are),
    TEST_CASE(the_endpoint_is_left_alone_after_a_failure),
    TEST_CASE(a_refused_token_is_not_used_again),
    TEST_CASE(token_after_token_refused_is_a_pause),
};

int main(int argc, char **argv)
{
    return test_main(cases, TEST_COUNT(cases), argc, argv);
}

/* JSON objects, and the answers of token endpoints. */
#include "fuzz.h"

#include "base/json.h"
#include "transfer/token_answer.h"

static const struct str secrets[TOKEN_SECRETS] = {{"hunter2", 7}, {"", 0}};

static void check_token(const struct buf *token, const char *bytes)
{
    fuzz_check(token->length <= TOKEN_MAX);
    for (size_t i = 0; i < token->length; i++)
        fuzz_check(token->data[i] != '\0' && strchr(bytes, token->data[i]) != NULL);
}

static void check_reason(const char *reason)
{
    fuzz_check(strlen(reason) < TOKEN_REASON_SIZE && strstr(reason, "hunter2") == NULL);
    for (; *reason != '\0'; reason++)
        fuzz_check(*reason >= 32 && *reason < 127);
}

static void try_answer(int code, struct str body)
{
    struct token_answer a;

    if (token_answer_read(code, body, secrets, &a)) {
        fuzz_check(code == 200 && a.access_token.length > 0 && a.reason[0] == '\0' && !a.refused);
        fuzz_check(a.life_s >= TOKEN_LIFE_MIN_S && a.life_s <= TOKEN_LIFE_MAX_S);
        check_token(&a.access_token, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/=");
        fuzz_check(!str_has_control(buf_str(&a.refresh_token)) && str_is_ascii(buf_str(&a.refresh_token)));
    } else {
        fuzz_check(a.access_token.length == 0 && a.reason[0] != '\0');
        check_reason(a.reason);
    }
    token_answer_done(&a);
}

/* What was read as a string can be written, and is read as what it was. */
static void try_string(const struct json *j)
{
    struct json *written, *again;
    struct buf text = {0};
    struct str value, back;

    if (!json_get_str(j, "a", &value))
        return;
    fuzz_check(str_is_utf8(value));
    written = json_new_object();
    json_put_str(written, "a", value);
    json_write(written, &text);
    fuzz_check(str_is_ascii(buf_str(&text)) && !str_has_control(buf_str(&text)));
    again = json_parse_object(buf_str(&text));
    fuzz_check(again != NULL && json_get_str(again, "a", &back) && str_equal(back, value));
    json_free(&again);
    json_free(&written);
    buf_done(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str input = fuzz_input(data, size);
    char *exact = fuzz_exact(input);
    struct str body = {exact, input.length};
    struct json *j = json_parse_object(body);

    if (j != NULL)
        try_string(j);
    json_free(&j);
    try_answer(200, body);
    try_answer(400, body);
    free(exact);
    return 0;
}

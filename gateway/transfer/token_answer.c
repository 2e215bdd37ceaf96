#include "transfer/token_answer.h"

#include "base/json.h"

#include <stdio.h>
#include <string.h>

enum { OK = 200, WORD_SIZE = 64, SAID_SIZE = 240 };

static bool is_token_byte(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || (c != '\0' && strchr("-._~+/", c) != NULL);
}

/* b64token, RFC 6750 section 2.1. */
static bool is_access_token(struct str token)
{
    size_t length = token.length;

    if (length > TOKEN_MAX)
        return false;
    while (length > 0 && token.data[length - 1] == '=')
        length--;
    for (size_t i = 0; i < length; i++)
        if (!is_token_byte(token.data[i]))
            return false;
    return length > 0;
}

/* VSCHAR, RFC 6749 appendix A.17. */
static bool is_refresh_token(struct str token)
{
    for (size_t i = 0; i < token.length; i++)
        if (token.data[i] < 32 || token.data[i] > 126)
            return false;
    return token.length > 0 && token.length <= TOKEN_MAX;
}

static bool fail(struct token_answer *a, const char *reason)
{
    snprintf(a->reason, sizeof a->reason, "%s", reason);
    return false;
}

/* Line ends and other control bytes become spaces, what is no ASCII `?`. */
static const char *printable(struct str text, char *to, size_t size)
{
    size_t length = text.length < size - 1 ? text.length : size - 1;

    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)text.data[i];

        to[i] = c < 32 || c == 127 ? ' ' : c > 127 ? '?' : text.data[i];
    }
    to[length] = '\0';
    return to;
}

static bool holds(struct str text, const struct str *secrets)
{
    for (size_t i = 0; i < TOKEN_SECRETS; i++)
        if (str_contains(text, secrets[i]))
            return true;
    return false;
}

/* RFC 6749 section 5.2 */
static bool read_error(const struct json *j, struct str error, const struct str *secrets, struct token_answer *a)
{
    char word[WORD_SIZE], words[SAID_SIZE];
    struct str description = STR("");

    a->refused = str_equal(error, STR("invalid_grant"));
    json_get_str(j, "error_description", &description);
    if (holds(error, secrets))
        return fail(a, "an error that repeats a secret");
    if (holds(description, secrets))
        description = STR("(its words repeat a secret)");
    printable(error, word, sizeof word);
    if (description.length == 0)
        return fail(a, word);
    snprintf(a->reason, sizeof a->reason, "%s: %s", word, printable(description, words, sizeof words));
    return false;
}

static int64_t life_of(const struct json *j)
{
    int64_t seconds;

    if (!json_get_number(j, "expires_in", &seconds))
        return TOKEN_LIFE_UNSAID_S;
    return seconds < TOKEN_LIFE_MIN_S ? TOKEN_LIFE_MIN_S : seconds > TOKEN_LIFE_MAX_S ? TOKEN_LIFE_MAX_S : seconds;
}

/* RFC 6749 section 5.1 */
static bool read_token(const struct json *j, struct token_answer *a)
{
    struct str access, refresh = STR(""), type;

    if (json_get_str(j, "token_type", &type) && !str_equal_nocase(type, STR("Bearer")))
        return fail(a, "the answer has a token of another type than Bearer");
    if (!json_get_str(j, "access_token", &access))
        return fail(a, "the answer has no access_token");
    if (!is_access_token(access))
        return fail(a, "the access_token of the answer is too long or has other bytes than a token may have");
    if (json_get_str(j, "refresh_token", &refresh) && refresh.length > 0 && !is_refresh_token(refresh))
        return fail(a, "the refresh_token of the answer is too long or has other bytes than a token may have");
    buf_add(&a->access_token, access);
    buf_add(&a->refresh_token, refresh);
    a->life_s = life_of(j);
    return true;
}

static bool read_object(int code, const struct json *j, const struct str *secrets, struct token_answer *a)
{
    struct str error;

    if (json_get_str(j, "error", &error) && error.length > 0)
        return read_error(j, error, secrets, a);
    if (code == OK)
        return read_token(j, a);
    snprintf(a->reason, sizeof a->reason, "HTTP status %d", code);
    return false;
}

bool token_answer_read(int code, struct str body, const struct str secrets[TOKEN_SECRETS], struct token_answer *a)
{
    struct json *j = json_parse_object(body);
    bool ok = false;

    *a = (struct token_answer){0};
    if (j != NULL)
        ok = read_object(code, j, secrets, a);
    else if (code == OK)
        fail(a, "the answer is no JSON object");
    else
        snprintf(a->reason, sizeof a->reason, "HTTP status %d", code);
    json_free(&j);
    return ok;
}

void token_answer_done(struct token_answer *a)
{
    buf_done(&a->access_token);
    buf_done(&a->refresh_token);
}

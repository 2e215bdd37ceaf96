#include "transfer/token_state.h"

bool token_state_is_good(const struct token_state *s, int64_t now)
{
    return s->token.length > 0 && now < s->expires_at;
}

enum token_step token_state_next(const struct token_state *s, int64_t now)
{
    bool good = token_state_is_good(s, now);

    if (good && now < s->renew_at)
        return TOKEN_USE;
    if (now >= s->quiet_until)
        return TOKEN_FETCH;
    return good ? TOKEN_USE : TOKEN_FAIL;
}

void token_state_fetched(struct token_state *s, struct str token, int64_t life_s, int64_t now)
{
    int64_t life = life_s * 1000;

    buf_clear(&s->token);
    buf_add(&s->token, token);
    s->had_one = true;
    s->expires_at = now + life;
    /* Of a short life the first half is used before it is renewed. */
    s->renew_at = s->expires_at - (life / 2 < TOKEN_EARLY_MS ? life / 2 : TOKEN_EARLY_MS);
    s->quiet_until = now;
}

void token_state_failed(struct token_state *s, const struct status *failure, int64_t now)
{
    s->failure = *failure;
    s->quiet_until = now + TOKEN_PAUSE_MS;
}

void token_state_ask_again(struct token_state *s, int64_t now)
{
    s->quiet_until = now;
}

const char *token_state_event(const struct token_state *s, int64_t now)
{
    if (token_state_is_good(s, now))
        return "token-not-renewed";
    return s->had_one ? "token-expired" : "token-failed";
}

void token_state_refuse(struct token_state *s, struct str token, const struct status *failure, int64_t now)
{
    if (!str_equal(buf_str(&s->token), token))
        return;
    buf_clear(&s->token);
    if (s->refused_at > 0 && now - s->refused_at < TOKEN_PAUSE_MS)
        token_state_failed(s, failure, now);
    s->refused_at = now;
}

void token_state_done(struct token_state *s)
{
    buf_done(&s->token);
}

/*
 * token_state - what is known of one client's access token, and what that means now.
 *
 * A token has a time from which it is to be renewed and one from which it is no good.  After a failure, and when the next hop refuses
 * token after token, the endpoint is left alone for TOKEN_PAUSE_MS.  NOW is the caller's clock.  A zeroed struct knows nothing yet.
 * Pure functions.
 */
#ifndef TRANSFER_TOKEN_STATE_H
#define TRANSFER_TOKEN_STATE_H

#include "base/status.h"
#include "transfer/token_answer.h"

enum { TOKEN_EARLY_MS = 300000, TOKEN_PAUSE_MS = 30000 };

struct token_state {
    struct buf token; /* empty: none */
    int64_t renew_at, expires_at;
    int64_t quiet_until; /* the endpoint is not asked before */
    int64_t refused_at;  /* when the next hop last refused a token; 0: never */
    bool had_one;
    struct status failure; /* of the last fetch, or the next hop's refusal */
};

enum token_step { TOKEN_USE, TOKEN_FETCH, TOKEN_FAIL };

/* TOKEN_FETCH is also said of a token that is still good (token_state_is_good): it can be used when the fetch fails, or while somebody
 * else fetches. */
enum token_step token_state_next(const struct token_state *s, int64_t now);
bool token_state_is_good(const struct token_state *s, int64_t now);

void token_state_fetched(struct token_state *s, struct str token, int64_t life_s, int64_t now);
/* The pause after a failure is over. */
void token_state_ask_again(struct token_state *s, int64_t now);
void token_state_failed(struct token_state *s, const struct status *failure, int64_t now);
/* The event of the log for that: how bad it is. */
const char *token_state_event(const struct token_state *s, int64_t now);
/* The next hop refused TOKEN; one that is no longer ours changes nothing. */
void token_state_refuse(struct token_state *s, struct str token, const struct status *failure, int64_t now);
void token_state_done(struct token_state *s);

#endif

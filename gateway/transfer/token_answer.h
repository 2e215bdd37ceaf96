/*
 * token_answer - what a token endpoint said, understood (RFC 6749 sections 5.1, 5.2).
 *
 * The answer comes from a stranger: a token is taken only when it is one (RFC 6750 section 2.1, at most TOKEN_MAX bytes), its time is
 * brought between TOKEN_LIFE_MIN_S and TOKEN_LIFE_MAX_S, and reasons are made printable ASCII of a bounded length.  Pure functions.
 */
#ifndef TRANSFER_TOKEN_ANSWER_H
#define TRANSFER_TOKEN_ANSWER_H

#include "base/buf.h"

enum { TOKEN_MAX = 8192, TOKEN_REASON_SIZE = 320, TOKEN_SECRETS = 2 };
enum { TOKEN_LIFE_MIN_S = 60, TOKEN_LIFE_MAX_S = 86400, TOKEN_LIFE_UNSAID_S = 3600 };

struct token_answer {
    struct buf access_token;
    struct buf refresh_token; /* empty: the endpoint gave none */
    int64_t life_s;
    bool refused;                   /* invalid_grant: asking again in the same words will not help */
    char reason[TOKEN_REASON_SIZE]; /* why there is no token */
};

/* CODE is HTTP's.  A reason may quote what we sent: words in which one of SECRETS ("": none) stands are withheld.  False with the
 * reason; the caller calls token_answer_done in either case. */
bool token_answer_read(int code, struct str body, const struct str secrets[TOKEN_SECRETS], struct token_answer *a);
void token_answer_done(struct token_answer *a);

#endif

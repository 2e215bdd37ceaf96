/*
 * token_fetch - one access token from the endpoint of an OAuth client.
 *
 * Reads the client's row, asks its endpoint, and stores the refresh token that the endpoint may have put in the old one's place (RFC
 * 6749 section 6); the database is open for those moments only.  A grant that is refused is tried once more where another process has
 * stored another refresh token meanwhile.  Blocks up to DEADLINE.
 */
#ifndef TRANSFER_TOKEN_FETCH_H
#define TRANSFER_TOKEN_FETCH_H

#include "base/status.h"
#include "directory/secrets.h"
#include "net/dns.h"
#include "transfer/token_answer.h"

struct token_source {
    const char *db_path;
    struct secrets *secrets;
    const char *ca_file;
    struct dns *dns;
};

/* A refresh token that could not be stored, and the stored one that it replaces; both empty: there is none. */
struct token_unstored {
    struct buf given, replaces;
};

/* 454 4.7.0 with the reason; *ASKED says whether the endpoint was.  One thread at a time for each UNSTORED.  The caller calls
 * token_answer_done in either case. */
struct status token_fetch(const struct token_source *source, const char *name, struct token_unstored *unstored, int64_t deadline,
                          struct token_answer *answer, bool *asked);
void token_unstored_done(struct token_unstored *u);

#endif

/*
 * token - OAuth access tokens for logins at next hops (RFC 6749), kept while they are good.
 *
 * A token is fetched when it is first asked for, by one thread while the others of that name wait, and again TOKEN_EARLY_MS before it
 * expires, when the others go on with the old one.  Where fetching fails, a token that is still good is used on, and the log warns:
 * `token-not-renewed` with the time that is left, `token-expired` when none is, `token-failed` when there never was one, and
 * `token-refused` with what to do when the endpoint no longer takes the grant.  After a failure the endpoint is left alone for
 * TOKEN_PAUSE_MS.  A refresh token that the endpoint replaced is stored before the access token is used; while it cannot be stored it is
 * kept here, and the log says so (`token-not-stored`).  Answers of the endpoint are hostile input.
 *
 * Tokens of TOKEN_NAMES_MAX clients are kept, those that were asked for last.  Blocks for the network up to TOKEN_TIMEOUT_MS.  Any
 * thread may call.
 */
#ifndef TRANSFER_TOKEN_H
#define TRANSFER_TOKEN_H

#include "base/status.h"
#include "directory/secrets.h"
#include "net/dns.h"
#include "transfer/token_state.h"

enum { TOKEN_TIMEOUT_MS = 30000, TOKEN_NAMES_MAX = 1000 };

struct tokens;

/* DB_PATH: where oauth_clients is; CA_FILE and DNS as http.h has them.  All are borrowed for good. */
struct tokens *tokens_new(const char *db_path, struct secrets *secrets, const char *ca_file, struct dns *dns);
/* Nobody else has it in hand any more. */
void tokens_free(struct tokens **t);

/* FLUSHED: clock_wall when an administrator asked for this attempt, 0: never; a failure before that is forgotten.  Appends the token of the
 * client NAME to TO; else 454 4.7.0 with the reason, which names the client and what its endpoint said. */
struct status tokens_get(struct tokens *t, const char *name, int64_t flushed, struct buf *to);
/* The next hop refused TOKEN: it is not handed out again. */
void tokens_refuse(struct tokens *t, const char *name, struct str token);

#endif

/*
 * recipients - may this client send to this recipient?
 *
 * The order is INTERFACE's, first match: the recipient's domain is a rcpthost (a local one must know the address, residents.h) · the
 * client's address is a relayip · the client logged in as an active user with relay rights · else no.  The user is asked for each time: a
 * right that was taken away is gone with the next command.  <postmaster>, without a domain or with that of this host, is always taken (RFC
 * 5321 section 4.5.1), and so is abuse of this host where TMAIL_POSTMASTER is set.  A question that could not be asked is 451 4.3.0:
 * neither an acceptance nor "no such user".  Blocks for the directory.
 */
#ifndef POLICY_RECIPIENTS_H
#define POLICY_RECIPIENTS_H

#include "base/status.h"
#include "conf/conf.h"
#include "directory/directory.h"
#include "smtp/path.h"

struct policy_client {
    const struct address *address; /* NULL: it is none that came from anywhere, and no relayip */
    struct str login; /* empty: nobody has logged in */
    bool vouched;     /* somebody else (Dovecot) let the login in: one that the directory does not know may relay */
};

/* Which rule let a recipient in. */
enum policy_rule { POLICY_NONE, POLICY_POSTMASTER, POLICY_RCPTHOST, POLICY_RELAYIP, POLICY_LOGIN, POLICY_SRS, POLICY_MAILBOX };

struct policy_verdict {
    struct status status;
    enum policy_rule rule; /* with a 2xx status */
    bool is_local;          /* accepted for a local domain, whose aliases stand for others (expand.h) */
    bool unknown_recipient; /* refused because nobody has that address */
};

struct policy_verdict policy_recipient(const struct directory *d, const struct policy_client *client, const struct conf *conf,
                                       const struct path *path);
/* The rule in words, for the history: "the login may relay". */
const char *policy_rule_text(enum policy_rule rule);
/* Gives <postmaster> the domain ME. */
void policy_complete_postmaster(struct path *path, const char *me, struct arena *arena);

#endif

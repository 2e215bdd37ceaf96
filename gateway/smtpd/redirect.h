/*
 * redirect - recipients that others stand for: aliases (policy/expand.h), and senders that we once rewrote (smtp/srs.h).
 *
 * What goes to a member of a mini-list gets the list's sender for bounces (policy/lists.h), unless it has the null sender; else, what is
 * sent on to a domain that is none of our rcpthosts gets, where TMAIL_SRS_DOMAIN is set, a sender of that domain.  Blocks for the directory.
 */
#ifndef SMTPD_REDIRECT_H
#define SMTPD_REDIRECT_H

#include "policy/recipients.h"
#include "smtpd/session.h"

/* What policy and, where it does not know the mailbox, Dovecot (mailboxes.h) say of PATH. */
struct policy_verdict redirect_judge(const struct smtpd *smtpd, const struct policy_client *client, const struct path *path,
                                     struct arena *arena);
/* PATH is in TMAIL_SRS_DOMAIN and has the form of a rewritten sender: *V says whether mail to it is taken, and if so PATH is the sender
 * behind it.  False for all others, which are left alone. */
bool redirect_reverse(const struct smtpd *smtpd, struct path *path, struct policy_verdict *v, struct arena *arena);

/* Puts into E the recipient PATH, or those that it stands for.  ASKED is what the client said, V why that is taken.  Not 2xx: nobody was
 * put there. */
struct status redirect_add(const struct smtpd *smtpd, struct envelope *e, struct str asked, const struct path *path,
                           const struct rcpt_params *params, const struct policy_verdict *v, struct arena *arena);

#endif

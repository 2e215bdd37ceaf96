/*
 * verbs - what each SMTP command does; one function a verb, called by the session's table with the text behind the verb.
 *
 * The table has already seen that the verb is legal in this phase and that an argument is there where one must be.
 */
#ifndef SMTPD_VERBS_H
#define SMTPD_VERBS_H

#include "smtpd/session.h"

enum { AUTH_LINE_MAX = 12288 }; /* RFC 4954 section 4: with its end */

void verb_helo(struct session *s, struct str argument);
void verb_ehlo(struct session *s, struct str argument);
void verb_starttls(struct session *s, struct str argument);
void verb_auth(struct session *s, struct str argument);
void verb_mail(struct session *s, struct str argument);
void verb_rcpt(struct session *s, struct str argument);
void verb_data(struct session *s, struct str argument);
void verb_bdat(struct session *s, struct str argument);
void verb_rset(struct session *s, struct str argument);
void verb_noop(struct session *s, struct str argument);
void verb_vrfy(struct session *s, struct str argument);
void verb_help(struct session *s, struct str argument);
void verb_quit(struct session *s, struct str argument);

/* TMAIL_SMTPD_SENDER_LOGIN: who has logged in may send from SENDER. */
struct status session_check_sender(const struct session *s, const struct path *sender, struct arena *arena);
/* STATUS says why not SENDER: it stands where that is enforced, else it is logged and all is well. */
struct status session_refuse_sender(const struct session *s, struct str sender, const struct status *status);
/* A BDAT that may not run still has its octets behind it (RFC 3030 section 2): swallows them and answers with STATUS. */
void verb_bdat_refused(struct session *s, struct str argument, const struct status *status);
/* Appends " NAME" for each mechanism that the session may use now. */
void auth_offer(struct session *s, struct buf *to);
/* The names of all verbs, for HELP. */
void verbs_list(struct session *s);

#endif

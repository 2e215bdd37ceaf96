/*
 * session - one client's connection, from banner to goodbye (RFC 5321 section 3).
 *
 * session_run is the body of a session's thread: it blocks for the client under the timeouts of the configuration, obeys the limits, and
 * returns when the connection is over.  The verbs are a table (session.c) with the phases in which each is legal; what a verb does stands
 * in verbs_*.c.  The transaction is an object: where there is none, there is no state to forget (transaction.h).
 */
#ifndef SMTPD_SESSION_H
#define SMTPD_SESSION_H

#include "conf/conf.h"
#include "conf/listeners.h"
#include "directory/directory.h"
#include "directory/names.h"
#include "message/id.h"
#include "net/dns.h"
#include "net/stream.h"
#include "net/tls.h"
#include "queue/commit.h"
#include "smtpd/guard.h"
#include "smtpd/judge.h"
#include "smtpd/mailboxes.h"
#include "smtpd/transaction.h"

#include <stdatomic.h>

/* What all sessions share; but for the certificates it does not change while they run. */
struct smtpd {
    const struct conf *conf;
    const struct directory *directory;
    struct committer *committer;
    struct dns *dns; /* NULL: the DNS is not asked */
    struct tls_server *tls;
    _Atomic bool has_certificates; /* STARTTLS can be offered */
    struct judge *judge;
    struct guard *guard;
    struct mailboxes *mailboxes;
};

struct session {
    const struct smtpd *smtpd;
    const struct listener_spec *listener;
    struct stream stream;
    bool has_tls;
    struct tls_info tls_info;
    unsigned char binding[TLS_BINDING];
    size_t binding_length; /* 0: there is none */
    char id[SESSION_ID_SIZE];
    char client[ADDRESS_TEXT_SIZE];
    char client_name[DNS_NAME_SIZE]; /* verified by the DNS; "": none */
    char helo[DOMAIN_SIZE]; /* as the client said it; "" before HELO */
    bool greeted;           /* HELO or EHLO was accepted */
    bool extended;          /* EHLO */
    char login[NAME_SIZE]; /* in the form of the directory; "": nobody has logged in */
    bool poisoned;          /* a bare LF was read: what follows, up to a CR LF, is part of that line */
    bool masked;            /* AUTH was said: what is no command may be a password */
    int64_t commands;       /* since the last accepted message */
    int64_t errors, unknown_recipients, messages;
    bool follows_refusal; /* MAIL or a chunk was refused: what was pipelined behind it is on its way */
    struct transaction *transaction; /* NULL: none */
    char asked[DOMAIN_SIZE]; /* the last sender domain that the DNS was asked about; "": none yet */
    bool asked_is_null;      /* and it takes no mail */
    const char *ended;      /* why the session is over; NULL while it is not */
};

void session_run(const struct smtpd *smtpd, const struct listener_spec *listener, int fd, const struct address *peer);

/* For the verbs.  The text is printf's; the enhanced code "" leaves it out. */
void session_reply(struct session *s, int code, const char *enhanced, const char *format, ...) __attribute__((format(printf, 4, 5)));
void session_reply_status(struct session *s, const struct status *status);
/* A line of a multi-line reply. */
void session_reply_more(struct session *s, int code, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* The same as session_reply, and it counts against TMAIL_SMTPD_MAX_ERRORS. */
void session_error(struct session *s, int code, const char *enhanced, const char *format, ...) __attribute__((format(printf, 4, 5)));
/* Replies with STATUS, and logs that VERB was refused. */
void session_refuse(struct session *s, const char *verb, const struct status *status);
/* In the debug log, in place of a line that holds a secret. */
void session_log_masked(const struct session *s, const char *direction);
/* Shakes hands; false when the session is over. */
bool session_start_tls(struct session *s);
bool session_offers_tls(const struct session *s);
/* "verified", "not verified" or "none". */
const char *session_client_certificate(const struct session *s);
/* Waits for the DNS, for TMAIL_SMTPD_DNS_TIMEOUT at most: who the client is. */
void session_find_name(struct session *s);
/* Waits likewise: 550 for a SENDER whose domain says that it takes no mail. */
struct status session_ask_sender(struct session *s, const struct path *sender);
void session_end(struct session *s, const char *why);
void session_end_transaction(struct session *s);
/* After a fault of the stream: the last words that fit it, and the end. */
void session_end_by_fault(struct session *s);

#endif

/*
 * envelope - who sent a message and who shall get it (RFC 5321 section 2.3.1), with what came along at MAIL and RCPT.
 *
 * One envelope is one transaction.  All its strings and recipients live in the arena it was made with; the owner of the arena owns it.
 */
#ifndef MESSAGE_ENVELOPE_H
#define MESSAGE_ENVELOPE_H

#include "base/arena.h"
#include "base/status.h"
#include "smtp/params.h"
#include "smtp/path.h"

struct recipient {
    struct recipient *next;
    int number;         /* from 1, in the order of RCPT */
    struct str address; /* LOCAL@DOMAIN as it is sent on */
    struct str domain;  /* in normal form */
    unsigned notify;    /* NOTIFY_* */
    struct str orcpt;
    struct str taken; /* why it was accepted */
    int64_t route;    /* that an administrator chose; 0: the rules decide */
    struct str sender; /* another than the message's, for this one alone (smtp/srs.h, or its list's); empty: none */
    struct str list;   /* address of the mini-list whose member it is; empty: of none */
};

/* What a message is to those who report: nothing answers a report, and only the first is told to the postmaster. */
enum message_kind { MESSAGE_MAIL, MESSAGE_REPORT, MESSAGE_LAST_REPORT };

/* A recipient that the session asked for and did not get, for the history. */
struct refusal {
    struct refusal *next;
    struct str address;
    struct status status;
};

struct envelope {
    struct arena *arena;
    int64_t id;         /* the queue id; 0 until it has one */
    int64_t arrived;    /* clock_wall */
    struct str session; /* id of the session, in every log line of the message */
    struct str sender;  /* LOCAL@DOMAIN; empty: the null sender */
    struct str sender_host; /* the sender's domain in normal form */
    struct str user;    /* login, empty when none */
    struct str client;  /* address in text form */
    struct str helo;
    struct str via;     /* protocol and TLS it came in by, for people; empty: it was made here */
    enum message_kind kind;
    enum body_type body;
    uint64_t announced; /* octets of content that MAIL spoke of (RFC 1870); 0: it did not */
    bool smtputf8; /* the header needs SMTPUTF8 (RFC 6531 section 3.6); addresses show themselves whether they do */
    bool auth; /* MAIL had an AUTH parameter: those whom we log in at are told AUTH=<> (RFC 4954 section 5) */
    bool tls_optional; /* goes out in spite of any failure of TLS, and is not counted for TLS reports (RFC 8460 section 3) */
    enum ret_type ret;
    struct str envid;
    struct recipient *recipients, *last;
    int recipient_count;
    struct refusal *refusals; /* ENVELOPE_REFUSALS_MAX at most, the latest first */
    int refusal_count;
};

enum { ENVELOPE_REFUSALS_MAX = 20 };

void envelope_init(struct envelope *e, struct arena *arena);
/* Adds a recipient, copied; false when it is there already (the same mailbox: domain in normal form, local part to the letter): then it is
 * told of what either asks for. */
bool envelope_add(struct envelope *e, const struct path *path, const struct rcpt_params *params);
/* Notes why an address was refused, as long as there is room for it. */
void envelope_refuse(struct envelope *e, struct str address, const struct status *status);
/* Whom it is from, as a number that is the same for all mail of one sender: the login, else the sender, else the client. */
int64_t envelope_flow(const struct envelope *e);

#endif

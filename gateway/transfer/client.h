/*
 * client - the dialogue with a next hop: greeting, TLS and login, transactions, goodbye (RFC 5321 sections 3 and 4.5.3.2), by SMTP or LMTP.
 *
 * A struct client is one connection.  client_greet reads the banner, says EHLO, or HELO to those who know nothing else, and turns on TLS
 * (RFC 3207, RFC 8314) as struct client_security wants it, client_login logs in (RFC 4954), or they say why that cannot be: they never
 * settle for less.  Nothing that was said before TLS counts after it, and no login is sent without TLS.  client_send carries one message to
 * any number of recipients and leaves a status with each; it uses PIPELINING, SIZE, 8BITMIME, CHUNKING, SMTPUTF8 and DSN as the server
 * offers them.  Every command has `timeout`; the final reply, or all of LMTP's together, twice that (and a second for each of those).  Replies are read within bounds (reply.h).  What a server says is
 * hostile input like any other.
 *
 * By LMTP (RFC 2033) the server answers to the content once for each recipient that it accepted: those who were answered have their answer
 * even if the connection ends before the others have theirs.
 *
 * A server that wants TLS or a login when mail comes says nothing about the mail: that is temporary, and where nothing was taken the client
 * is `unwelcome`.  After a fault, a malformed reply or a 421 the client is `broken`: send nothing more, close it.  One thread at a time.
 */
#ifndef TRANSFER_CLIENT_H
#define TRANSFER_CLIENT_H

#include "conf/tls_policy.h"
#include "message/body.h"
#include "message/envelope.h"
#include "net/stream.h"
#include "net/tls.h"

enum client_extension {
    CLIENT_PIPELINING = 1,
    CLIENT_SIZE = 2,
    CLIENT_8BITMIME = 4,
    CLIENT_CHUNKING = 8,
    CLIENT_SMTPUTF8 = 16,
    CLIENT_DSN = 32,
    CLIENT_STARTTLS = 64,
};

/* How a connection is to be protected, and who logs in; borrowed until client_greet returns. */
struct client_security {
    struct tls_client *tls;
    struct tls_wanted wanted; /* of the server; its host is how statuses call it */
    enum tls_policy policy;
    const char *wanted_by; /* who asks for the policy, for statuses: "the route", "DANE" */
    bool from_first_byte;
    bool plain_after;      /* a STARTTLS that the server refuses may be done without */
    bool weakened;         /* TLS has failed before */
    struct str login;      /* empty: none */
    struct str secret;     /* the password, or the token */
    bool oauth;            /* it is a token */
};

struct client {
    struct stream stream;
    int64_t timeout; /* ms per command */
    bool lmtp;       /* to be set before client_greet */
    bool as_is;      /* to be set, too: it stores what it gets, so 8-bit headers and addresses are sent whatever it offers */
    bool introduced; /* the first line of the answer to EHLO has been seen */
    unsigned extensions;
    unsigned mechanisms; /* offered for AUTH, 1 << enum sasl_mechanism */
    bool has_tls, logged_in;
    bool tls_failed;     /* why it is broken: TLS, which the server did offer */
    bool tls_missing;    /* it offers no STARTTLS, or refused it */
    enum tls_trouble tls_trouble; /* with tls_failed: what was wrong with the certificate */
    bool weakened;       /* it goes on in plain text because TLS failed: what it refuses it may take from others */
    bool greeted;        /* the banner was read */
    bool login_failed;   /* the server has said so, or did not prove that it knows the password */
    bool login_refused;  /* for good: 535 and its like */
    bool masked;         /* what is said now may repeat a secret: the log does not show it */
    bool unwelcome;      /* it wants TLS or a login before it takes any mail (530, 534, 535, 538) */
    struct tls_info tls_info;
    uint64_t size_limit; /* 0: none */
    int expected; /* replies to what was said that have not been read */
    bool broken;
    bool uncertain; /* the whole content went out and no verdict came: it may have been taken */
    bool answered; /* since client_send began the server has said something of the message, not only that it goes (421) */
    struct status failure; /* why it is broken */
    int64_t messages;
};

/* One recipient of a transaction and what the server said of it. */
struct client_recipient {
    const struct recipient *recipient;
    struct status status;
    bool accepted; /* at RCPT */
    bool deferred; /* at RCPT, 4xx */
    bool ours;     /* the status is what we conclude from what the server offers: another host may offer more */
    void *owner;   /* the caller's */
};

struct client_message {
    const struct envelope *envelope; /* its own recipients are not looked at */
    struct str sender;               /* instead of the envelope's; no data: that one */
    struct client_recipient *recipients;
    size_t count;
    struct str fields;  /* of the header, that go in front of the content */
    struct str content; /* all of it; or empty, and then */
    struct body *body;  /* by pieces */
    int64_t size;
};

/* Takes a connected STREAM. */
void client_init(struct client *c, const struct stream *stream, int64_t timeout);
/* 2xx when the server is ready for mail, or for the login if SECURITY has one: then client_login is due. */
struct status client_greet(struct client *c, const char *me, const struct client_security *security);
/* Logs in.  The strongest mechanism that both sides know is used: SCRAM before CRAM-MD5 before PLAIN and LOGIN; OAUTHBEARER and XOAUTH2 for
 * tokens and nothing else.  2xx, or temporary, mostly 454 4.7.8, with what the server said unless that repeats the secret: a password that
 * is wrong says nothing about a recipient. */
struct status client_login(struct client *c, const struct client_security *security);
/* Leaves a status with every recipient. */
void client_send(struct client *c, struct client_message *m);
/* QUIT if the server still listens, then close. */
void client_close(struct client *c);

#endif

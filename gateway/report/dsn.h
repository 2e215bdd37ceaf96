/*
 * dsn - a report on what became of a message, as a message (RFC 3461 section 6, RFC 3462, RFC 3464; RFC 6533 where addresses need it).
 *
 * multipart/report with three parts: words for people (template.h), message/delivery-status, and the message itself or its header.  One
 * report tells of one message and any number of its recipients with one action, or several: failed before delayed before the others in its
 * subject.  What is written needs no more than 7 bits, but for a whole message that does, and unless UTF8 says that the message itself, or who
 * gets the report, needs SMTPUTF8: then it is message/global-delivery-status and message/global or message/global-headers.  A recipient's
 * address alone needs none of it: RFC 6533 writes it in ASCII.  Nothing that the report says of others - replies,
 * addresses, ENVID - can end a line or a part: it is hostile input here as everywhere.  Pure but for the template's file and the scratch
 * file of a large body.
 */
#ifndef REPORT_DSN_H
#define REPORT_DSN_H

#include "conf/conf.h"
#include "message/body.h"
#include "message/envelope.h"

enum dsn_action { DSN_FAILED, DSN_DELAYED, DSN_DELIVERED, DSN_RELAYED };

struct dsn_recipient {
    struct dsn_recipient *next;
    enum dsn_action action;
    struct str address;
    struct str orcpt;   /* as it came; empty: none */
    int code;           /* SMTP reply code, 0: none */
    struct str enhanced; /* "5.1.1"; empty: made from the action and the code */
    struct str reason;  /* one line */
    bool from_peer;     /* the reason is a server's reply: Diagnostic-Code and Remote-MTA are its own */
    struct str host;    /* NAME[ADDRESS]:PORT that it spoke to; empty: nobody */
    int64_t tried;      /* clock_wall of the last attempt, 0: none */
    int64_t until;      /* with DSN_DELAYED: when we give up, clock_wall */
};

struct dsn {
    const struct conf *conf;          /* me, bounce_template, bounce_size */
    const struct envelope *original;  /* id, arrived, sender, envid, ret, smtputf8; its recipients are not looked at */
    int64_t size;                     /* of the original */
    struct body *content;             /* the original, all of it or as much as holds its header */
    const struct dsn_recipient *recipients;
    struct str to;                    /* who gets the report: the original's sender, or the postmaster */
    int64_t id;                       /* queue id of the report: its Message-ID and boundary are made of it */
    int64_t now;                      /* clock_wall */
};

/* Appends the report to MESSAGE.  Its text part says what the template says; a template that cannot be read is logged, and the built-in one
 * is used.  *UTF8: the report needs SMTPUTF8, *EIGHT_BIT: 8BITMIME. */
void dsn_write(const struct dsn *d, struct body *message, bool *utf8, bool *eight_bit);

/* FULL was asked for, or nothing, and the message is not larger than TMAIL_BOUNCE_SIZE (RFC 3461 section 4.3, 5.2.5); only failures return
 * the whole message. */
bool dsn_returns_content(const struct dsn *d);

#endif

/*
 * command - carries one message to a command of this host, which the parent runs (base/errand.h).
 *
 * The message is copied (message/handover.h), with Return-Path and the given fields in front; then the errand is sent and its end waited
 * for, TMAIL_LOCAL_TIMEOUT and a little more.  Of what the command says on standard error the last line with something in it is kept.  When
 * the grace of a stop is over the waiting ends, and with it the command.  Any number of threads at once, over the one socket.
 */
#ifndef TRANSFER_COMMAND_H
#define TRANSFER_COMMAND_H

#include "base/errand.h"
#include "conf/conf.h"
#include "message/body.h"
#include "message/envelope.h"

struct command_means {
    const struct conf *conf;
    int errands; /* the socket to the parent; -1: it runs no commands */
};

struct command_mail {
    const struct envelope *envelope;
    const struct recipient *recipient;
    struct str sender;   /* to be used: the recipient's own, or the envelope's; empty: the null sender */
    struct str original; /* ORCPT, decoded, or the address */
    struct str fields;   /* header lines to put in front; or empty */
    struct str content;  /* all of it, */
    struct body *body;   /* or here, where this is not NULL */
    int64_t size;
};

enum { COMMAND_REASON = 300, COMMAND_ERRORS_MOST = 16 << 20 };

struct command_end {
    int exit_status;
    char reason[COMMAND_REASON]; /* printable; "": it said nothing */
};

/* Runs ERRAND, whose words are filled in, for MAIL; WHO stands for it in texts.  OK when it has ended by itself, which END tells about;
 * else a temporary status. */
struct status command_run(const struct command_means *means, const struct command_mail *mail, struct errand *errand, const char *who,
                          struct command_end *end);

/* The kept line of TEXT: feed pieces, then read REASON (COMMAND_REASON bytes). */
struct last_line {
    char line[COMMAND_REASON];
    size_t length;
    bool cut; /* the line has more */
    char reason[COMMAND_REASON];
};
void last_line_take(struct last_line *l, struct str text);
/* What stands behind the last end of a line counts, too. */
void last_line_end(struct last_line *l);

#endif

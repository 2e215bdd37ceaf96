/*
 * lda - dovecot-lda puts a message into a mailbox.
 *
 * TMAIL_DOVECOT_LDA is run as `-e -f SENDER -a ORIGINAL -d USER`, as TMAIL_DOVECOT_LDA_USER, with Return-Path and Delivered-To in front of
 * the message, which it does not add itself.  An ORIGINAL that is no address, or not in ASCII, is the recipient's address instead.  Mail
 * that was delivered to that user before is refused (5.4.6): it came back.  With -e a refusal is told by its exit status and standard
 * error, so the report to the sender is ours.
 */
#ifndef DOVECOT_LDA_H
#define DOVECOT_LDA_H

#include "transfer/command.h"

/* USER is the mailbox, LOCAL@DOMAIN. */
struct status lda_deliver(const struct command_means *means, const struct command_mail *mail, struct str user);

/* What EXIT_STATUS comes to, with what dovecot-lda said last, or "". */
struct status lda_status(int exit_status, const char *reason);

#endif

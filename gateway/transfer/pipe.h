/*
 * pipe - the command of an alias takes a message.
 *
 * It is cut into words (base/argv.h), never seen by a shell, and run as TMAIL_PIPE_USER with the message as standard input: Return-Path in
 * front, lines that end in LF.  Exit status 0: done; 4: try again later; 5: refused; others as sysexits.h has them.  Killed, or not to be
 * run: later.
 */
#ifndef TRANSFER_PIPE_H
#define TRANSFER_PIPE_H

#include "transfer/command.h"

struct status pipe_deliver(const struct command_means *means, const struct command_mail *mail, struct str command);

/* What EXIT_STATUS comes to, with what the command said last, or "". */
struct status pipe_status(int exit_status, const char *reason);

#endif

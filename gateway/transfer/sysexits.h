/*
 * sysexits - what the exit status of a command that takes mail means (sysexits.h of the BSDs; of dovecot-lda, and of commands in aliases).
 *
 * Only what a program says of the recipient or of the mail, that there is no such user or that it may not be delivered, is final.  What
 * went wrong in the program, or in how it is called, is somebody's to mend, and the mail waits for that.
 */
#ifndef TRANSFER_SYSEXITS_H
#define TRANSFER_SYSEXITS_H

#include "base/status.h"

/* WHO is who ended so, with EXIT_STATUS; REASON is what it said last, or "": both go into the text. */
struct status sysexits_status(const char *who, int exit_status, const char *reason);

#endif

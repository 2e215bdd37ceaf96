/*
 * credentials - what is kept of a new password: its hashes, and the keys of the challenge mechanisms (sasl/keys.h).
 *
 * All are texts as the columns of users hold them; none of them is the password.  Making them blocks for more than a tenth of a second
 * of CPU: never while a transaction is open.
 */
#ifndef DIRECTORY_CREDENTIALS_H
#define DIRECTORY_CREDENTIALS_H

#include "base/status.h"
#include "directory/password.h"

struct credentials {
    char passwd[PASSWORD_HASH_SIZE], dove_passwd[PASSWORD_HASH_SIZE];
    char scram[SASL_SCRAM_TEXT_SIZE];
    char cram[SASL_CRAM_TEXT_SIZE]; /* "": is not kept */
};

/* 550 with the reason for a password that breaks a rule. */
struct status credentials_make(struct str password, bool cram_md5, struct credentials *c);
void credentials_done(struct credentials *c); /* wipes them */

#endif

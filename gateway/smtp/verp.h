/*
 * verp - variable envelope return paths: a sender that names the recipient, so that a report tells by its address whom it is about.
 *
 * With the delimiters "+=", mail from list@example.org to joe@example.com goes as from list+joe=example.com@example.org.  The recipient's
 * domain is written in ASCII, so that no more of the sender needs SMTPUTF8 than of the recipient.  Pure.
 */
#ifndef SMTP_VERP_H
#define SMTP_VERP_H

#include "base/arena.h"

/* Two different ones of -+=_~#: before the recipient, and instead of its @. */
bool verp_delimiters_are_valid(struct str delimiters);

/* SENDER, which is not the null sender, for RECIPIENT.  False when that is longer than RFC 5321 section 4.5.3.1 lets a sender be, or one
 * of them is no address. */
bool verp_rewrite(struct str sender, struct str recipient, struct str delimiters, struct arena *arena, struct str *rewritten);

#endif

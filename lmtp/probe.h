/*
 * probe - does a mailbox exist?  Asked of TMAIL_LMTP_ADDRESS with a transaction that sends nothing: MAIL FROM:<>, RCPT TO:<address>, RSET.
 *
 * 2xx means that it does, a 5xx that it does not (550 5.1.1), or what is wrong with it, where the server says that by an enhanced code
 * (552 5.2.2).  All else - a 4xx, a 5xx that speaks of us, no answer - is 451: what nobody knows is neither taken nor refused.  Answers are
 * kept, the good ones for TMAIL_LMTP_PROBE_TTL, the others for TMAIL_LMTP_PROBE_NEGATIVE_TTL, those that are 451 not at all.  Sessions that
 * ask for the same address at the same time share one question, and PROBE_MOST are asked at once: connections are for mail.  A server that
 * does not answer is left alone for PROBE_PAUSE_MS, and then tried by one of those who ask; the log says when that begins and ends.
 *
 * One connection a question.  Blocks for the DNS and the network: TMAIL_DELIVERD_CONNECT_TIMEOUT and PROBE_REPLY_MS a reply; no server is
 * tried after the two together; ends when the process is told to stop.  Any thread may call.
 */
#ifndef LMTP_PROBE_H
#define LMTP_PROBE_H

#include "lmtp/lmtp.h"

enum { PROBE_REPLY_MS = 10000, PROBE_PAUSE_MS = 5000, PROBE_MOST = 10 };

struct probe;

/* Dovecot knows users of DOMAIN, a local one in normal form, that the directory does not. */
bool probe_is_for(const struct conf *conf, struct str domain);

/* MEANS are copied, what they point to is borrowed for good. */
struct probe *probe_new(const struct lmtp_means *means);
/* Nobody is asking any more. */
void probe_free(struct probe **p);

/* ADDRESS is LOCAL@DOMAIN with the domain in normal form.  *UNKNOWN: with the 5xx that says that nobody has it. */
struct status probe_ask(struct probe *p, struct str address, bool *unknown);

#endif

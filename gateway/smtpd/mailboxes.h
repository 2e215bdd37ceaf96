/*
 * mailboxes - what Dovecot is asked at RCPT: whether there is a mailbox that the directory does not know (lmtp/probe.h), and whether there
 * is room in one (dovecot/quota_status.h).
 *
 * Both are asked only where the configuration names who answers.  Blocks for the network as they do.  All sessions share it.
 */
#ifndef SMTPD_MAILBOXES_H
#define SMTPD_MAILBOXES_H

#include "conf/conf.h"
#include "net/dns.h"
#include "policy/recipients.h"

struct mailboxes;

/* DNS may be NULL: names of hosts need one all the same, which is then opened here.  NULL with the reason in ERROR. */
struct mailboxes *mailboxes_open(const struct conf *conf, struct dns *dns, char *error, size_t error_size);
/* Nobody is asking any more; before the DNS is closed. */
void mailboxes_close(struct mailboxes **m);

/* V is the directory's answer for PATH.  Where that is "no such user", and the domain is one of TMAIL_LMTP_PROBE_DOMAINS, V becomes
 * Dovecot's answer; true when that is yes: PATH is the mailbox's address. */
bool mailboxes_find(const struct mailboxes *m, const struct path *path, struct policy_verdict *v, struct arena *arena);
/* 2xx: a message of SIZE octets (0: not known) may come for ADDRESS, which is a mailbox. */
struct status mailboxes_have_room(const struct mailboxes *m, struct str address, uint64_t size);

#endif

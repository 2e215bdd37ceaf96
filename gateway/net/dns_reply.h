/*
 * dns_reply - an answer as callers get it, from what libunbound has, and from what went wrong.  Nothing blocks.
 */
#ifndef NET_DNS_REPLY_H
#define NET_DNS_REPLY_H

#include "net/dns_library.h"

/* ANSWER keeps its canonical name and has nothing else.  REASON becomes one printable line, cut to what fits. */
void dns_reply_fail(struct dns_answer *answer, const char *reason);
void dns_reply_fail_timeout(struct dns_answer *answer, const char *reason);
void dns_reply_add_reason(struct dns_answer *answer, const char *text);

/* REPLY is not bogus; what ANSWER holds then is copied into ARENA. */
void dns_reply_read(const struct dns_reply *reply, struct arena *arena, struct dns_answer *answer);

#endif

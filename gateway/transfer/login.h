/*
 * login - our login at a next hop (RFC 4954).
 *
 * The strongest mechanism that both sides know is used: SCRAM before CRAM-MD5 before PLAIN and LOGIN; OAUTHBEARER and XOAUTH2 for tokens and nothing else.  Without TLS nothing is sent.  A
 * login that fails is never permanent: 454 4.7.8 with what the server said, for a password that is wrong says nothing about a recipient.
 */
#ifndef TRANSFER_LOGIN_H
#define TRANSFER_LOGIN_H

#include "transfer/client.h"

struct status login_run(struct client *c, const struct client_security *security);

#endif

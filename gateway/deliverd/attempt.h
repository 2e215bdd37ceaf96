/*
 * attempt - one try to deliver one job, over the connection at hand or a new one.
 *
 * A worker keeps its connection between jobs of the same next hop.  What hands over to the next candidate says connection.h; a connection
 * that the server had closed while it lay idle is opened anew.  Recipients that one host of an MX would not take now go to the next host,
 * three hosts at most, unless the first may have taken the mail (RFC 5321 section 5.1); so does what a host cannot be sent because of what
 * it offers, which is final when all hosts, or three, say the same.  A server that suddenly wants TLS or a login hands over to the next
 * candidate; any other answer to the mail itself hands over to nobody.  A hop that is a program is run (program.h), and members of a list
 * get no message that has been through it (list.h).  attempt_run leaves a status, the host and its TLS with every delivery, and blocks for
 * the network under the configuration's timeouts.
 */
#ifndef DELIVERD_ATTEMPT_H
#define DELIVERD_ATTEMPT_H

#include "deliverd/connection.h"

/* BODY holds the content when the claim did not bring it along. */
void attempt_run(const struct attempt_context *context, struct connection *connection, struct job *job, struct body *body);

#endif

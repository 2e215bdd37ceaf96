/*
 * attempt - one try to deliver one job, over the connection at hand or a new one.
 *
 * A struct connection is what a worker keeps between jobs of the same next hop.  attempt_run tries the candidates of the plan in order until one takes the
 * dialogue: no connection, a greeting other than 2xx, or a connection that the server had closed while it lay idle hand over to the
 * next address or candidate; an answer to the mail itself does not.  It leaves a status and the host with every delivery, and blocks for the network
 * under the configuration's timeouts.
 */
#ifndef DELIVERD_ATTEMPT_H
#define DELIVERD_ATTEMPT_H

#include "conf/conf.h"
#include "deliverd/hosts.h"
#include "deliverd/job.h"
#include "transfer/client.h"

struct attempt_context {
    const struct conf *conf;
    struct local_ips local; /* TMAIL_DELIVERD_LOCAL_IPS */
    struct hosts *hosts;
};

struct connection {
    bool open;
    struct client client;
    char name[CLAIM_HOST_SIZE]; /* HOST[ADDRESS]:PORT */
    char key[CLAIM_HOST_SIZE];  /* of the hop it belongs to */
    int64_t expires;            /* clock_now; a fallback is not kept for ever */
};

/* BODY holds the content when the claim did not bring it along. */
void attempt_run(const struct attempt_context *context, struct connection *connection, struct job *job, struct body *body);
void connection_close(struct connection *connection);

#endif

/*
 * connection - an open, greeted, protected and logged-in connection to a next hop, and the search for one.
 *
 * connection_open tries the candidates of a plan in order, each with all its hosts, their addresses and our source addresses, until one is
 * ready for mail: no address, no connection, a greeting other than 2xx, TLS that is not what is wanted, and a login that fails hand over to
 * the next.  A login that failed is not tried at the other addresses of its host, and not again for a while (hop_logins.h).  How TLS with a
 * destination went is counted for its report.  It blocks for the DNS and the network under the configuration's timeouts.
 */
#ifndef DELIVERD_CONNECTION_H
#define DELIVERD_CONNECTION_H

#include "conf/conf.h"
#include "deliverd/hosts.h"
#include "deliverd/job.h"
#include "deliverd/hop_logins.h"
#include "deliverd/security.h"
#include "report/tls_results.h"
#include "route/way.h"
#include "transfer/client.h"

struct attempt_context {
    const struct conf *conf;
    struct local_ips local; /* TMAIL_DELIVERD_LOCAL_IPS */
    struct hosts *hosts;
    struct hop_logins *logins;
    struct security_means means;
    struct way_means ways;
    struct tls_results *results; /* NULL: TMAIL_TLSRPT is false */
    const struct directory *directory;
    int errands; /* socket to the parent, who runs programs (transfer/command.h) */
};

enum { CONNECTION_SESSIONS_MOST = 3 }; /* with hosts of one MX in an attempt */

struct connection {
    bool open;
    struct client client;
    char name[CLAIM_HOST_SIZE]; /* HOST[ADDRESS]:PORT, or the path of a socket */
    char host[DNS_NAME_SIZE];   /* which of the hop's hosts, "" where it has none; it is one of several where the hop is an MX */
    bool is_mx;
    size_t hosts;               /* that the MX has */
    char tls[CLAIM_TLS_SIZE];   /* as struct delivery has it */
    char *key;                  /* of the hop it belongs to */
    size_t candidate;           /* its place in the plan that it was opened for */
    int64_t expires;            /* clock_now; neither a fallback nor what the DNS said is good for ever */
};

/* What an attempt has behind it. */
struct tried {
    char hosts[MX_MOST][DNS_NAME_SIZE]; /* of the MX at hand: those that were gone through are passed over */
    size_t count;
    int sessions;      /* with such hosts */
    int connects;      /* that were tried */
    bool ours;         /* a connection failed for want of something of ours */
    bool theirs;       /* one failed at the other side, now or a moment ago */
    bool counted;      /* what the destination's policy was worth */
};

/* Opens C, which is closed, for PLAN, from its candidate FIRST to, but without, END.  FLUSHED: clock_wall when an administrator asked for
 * this attempt, 0: never.  False: *STATUS says why the last candidate failed, C->name which one that was. */
bool connection_open(struct connection *c, const struct attempt_context *context, const struct route_plan *plan, size_t first, size_t end,
                     struct tried *tried, int64_t flushed, struct status *status);
void connection_close(struct connection *c);
/* C is open, and belongs to one of the candidates of PLAN. */
bool connection_serves(const struct connection *c, const struct route_plan *plan);

#endif

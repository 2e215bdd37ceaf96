/*
 * tls_count - what a connection, or a host that was left out, says about TLS with a destination, for its report (RFC 8460).
 *
 * Only mail that finds its way by MX is counted: what a route says is nobody else's business.  Reports themselves are not counted (section
 * 3).  RESULTS may be NULL.  Nothing here blocks.
 */
#ifndef DELIVERD_TLS_COUNT_H
#define DELIVERD_TLS_COUNT_H

#include "report/tls_results.h"
#include "route/way.h"
#include "transfer/client.h"

/* CLIENT has greeted HOST, or failed to; a connection that ended before TLS was spoken of says nothing. */
void tls_count_session(struct tls_results *results, const struct way *way, const struct way_host *host, const struct client *client);
/* HOST was left out because of what is published. */
void tls_count_host(struct tls_results *results, const struct way *way, const struct way_host *host);
/* The destination's MTA-STS policy could not be had. */
void tls_count_way(struct tls_results *results, const struct way *way);

#endif

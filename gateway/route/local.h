/*
 * local - the next hop of mail for local domains: Dovecot, by LMTP or dovecot-lda, or the command of an alias.
 *
 * What route.h hands over.  Nothing blocks but local_find_command, for the directory.
 */
#ifndef ROUTE_LOCAL_H
#define ROUTE_LOCAL_H

#include "conf/endpoint.h"
#include "route/route.h"

/* Fills PLAN with what the configuration says, or with the reason why there is no way now. */
void local_find(struct route_plan *plan, const struct conf *conf, struct arena *arena);
bool local_find_command(struct route_plan *plan, const struct directory *d, const struct recipient *r, struct arena *arena);
/* HOP speaks LMTP with E. */
void local_set_endpoint(struct hop *hop, const struct endpoint *e);

#endif

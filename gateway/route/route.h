/*
 * route - where a message goes next.
 *
 * route_find asks the directory which rule matches (INTERFACE: "Routes") and returns the candidates in the order in which one attempt tries
 * them: lower priority first, equal ones taking turns.  Mail for a local domain goes to Dovecot as the configuration says (local.h), or to
 * the command of an alias, unless a rule names that very domain.  Recipients with the same `set` share their next hop, so one transaction
 * carries them.  The plan lives in the caller's arena.  Blocks for the directory.
 */
#ifndef ROUTE_ROUTE_H
#define ROUTE_ROUTE_H

#include "base/status.h"
#include "conf/conf.h"
#include "conf/local_ips.h"
#include "conf/tls_policy.h"
#include "directory/directory.h"
#include "message/envelope.h"

enum hop_kind {
    HOP_SMTP,
    HOP_LMTP,
    HOP_LDA,    /* dovecot-lda */
    HOP_COMMAND /* of an alias */
};

struct hop {
    int64_t route;    /* its id; 0: no route, the destination's MX or ours */
    enum hop_kind kind;
    const char *host; /* as the route has it, the destination where that is "mx"; for people where there is no host */
    const char *path; /* HOP_LMTP: of a Unix socket; NULL: it is a host and a port */
    const char *command; /* HOP_COMMAND: as the alias has it */
    bool is_mx;       /* not the host itself, but those that its MX records name */
    bool optional;    /* the message goes whatever TLS with the destination is worth (envelope.tls_optional) */
    int port;
    int priority;
    const char *local_text; /* as written; "": the configuration's */
    struct local_ips local; /* count 0: the configuration's */
    bool has_tls_rule;
    struct tls_rule tls_rule;
    const char *login;    /* NULL: none */
    const char *password; /* as it is stored (directory/secrets.h); NULL: none */
    const char *oauth;    /* name of the client whose tokens log in; NULL: none */
    bool verp;            /* the sender names the recipient (smtp/verp.h): never that of a report, and never the null sender */
    const char *key;      /* what connections are shared by: all of the above but route and priority */
};

struct route_plan {
    struct str set;   /* names the candidates, in no order of turns */
    struct hop *hops; /* at least one, unless status says why there is none */
    size_t count;
    bool one_by_one; /* each recipient is a transaction of its own, for a hop rewrites the sender, or takes no more */
    bool is_local;   /* it ends on this host, or at TMAIL_LMTP_ADDRESS: local workers, and mailboxes that take what they get */
    struct status status; /* 2xx, or 4xx: wait */
};

struct route_means {
    const struct conf *conf;
    const struct directory *directory;
};

/* PLAN for recipients of DOMAIN; with is_local route_find_command may have another for some of them. */
void route_find(struct route_plan *plan, const struct route_means *means, const struct envelope *e, struct str domain, struct arena *arena);
/* R, of a local domain, is an alias with a command: fills PLAN and returns true. */
bool route_find_command(struct route_plan *plan, const struct route_means *means, const struct recipient *r, struct arena *arena);
/* The same where an administrator may have chosen the route (recipient.route): it alone, whatever the rules say; 0: none was chosen.  One
 * that is gone makes the mail wait: it was chosen because the others would not do. */
void route_find_chosen(struct route_plan *plan, const struct route_means *means, const struct envelope *e, struct str domain, int64_t chosen,
                       struct arena *arena);
/* Puts equal priorities in the order of this TURN; a route that stands twice comes first twice as often. */
void route_take_turns(struct route_plan *plan, uint64_t turn, struct arena *arena);
#endif

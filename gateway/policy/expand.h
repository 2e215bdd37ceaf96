/*
 * expand - whom mail for a recipient goes to: the addresses that aliases of local domains stand for.
 *
 * Aliases of aliases are followed, ten steps deep; each address is there once.  A mailbox stands for its own address, with the detail put
 * back (one beyond ASCII is not), and so does an address of another domain.  An alias with a command stands for itself, beside its
 * addresses: the command runs when the message is delivered.  Members of a mini-list say which.  One that leads back to itself, or deeper, is 554 5.4.6; more than
 * ALIASES_TARGETS_MAX addresses are 452 4.5.3; a question that could not be asked is 451 4.3.0.  Blocks for the directory.
 */
#ifndef POLICY_EXPAND_H
#define POLICY_EXPAND_H

#include "base/status.h"
#include "conf/conf.h"
#include "directory/directory.h"
#include "smtp/path.h"

struct target {
    struct target *next;
    struct path path;
    struct str mailbox; /* LOCAL@DOMAIN of ours that it is, without a detail; empty: it is none */
    bool is_command; /* an alias whose command gets the message: its own address */
    struct str list; /* address of the mini-list whose member it is, the innermost of several; empty: of none */
    bool is_outside; /* its domain is no rcpthost: we send there for nobody's sake but the alias's */
};

struct expansion {
    struct status status;
    struct target *targets;
    size_t count;
    struct str loop; /* with 5.4.6: the alias that was met again, or that is too deep */
};

/* PATH has a domain.  All lives in ARENA. */
void policy_expand(struct expansion *x, const struct directory *d, const struct conf *conf, const struct path *path, struct arena *arena);

#endif

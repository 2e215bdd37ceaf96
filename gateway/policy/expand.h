/*
 * expand - whom mail for a recipient goes to: the addresses that aliases of local domains stand for.
 *
 * Aliases of aliases are followed, ten steps deep; each address is there once.  A mailbox, an alias with a command, and an address of
 * another domain stand for themselves.  One that leads back to itself, or deeper, is 554 5.4.6; more than ALIASES_TARGETS_MAX addresses are
 * 452 4.5.3; a question that could not be asked is 451 4.3.0.  Blocks for the directory.
 */
#ifndef POLICY_EXPAND_H
#define POLICY_EXPAND_H

#include "base/status.h"
#include "directory/directory.h"
#include "smtp/path.h"

struct target {
    struct target *next;
    struct path path;
    bool is_outside; /* its domain is no rcpthost: we send there for nobody's sake but the alias's */
};

struct expansion {
    struct status status;
    struct target *targets;
    size_t count;
};

/* PATH has a domain.  All lives in ARENA. */
void policy_expand(struct expansion *x, const struct directory *d, const struct path *path, struct arena *arena);

#endif

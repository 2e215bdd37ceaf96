/*
 * generation - one configuration with the sockets and the children that serve it.
 *
 * The parent has a current generation and, during a start or a reload, a next one beside it.  A listening socket that both want is the same
 * socket.  Owned by the parent's one thread; nothing blocks.
 */
#ifndef GENERATION_H
#define GENERATION_H

#include "certificates.h"
#include "child.h"
#include "conf/listeners.h"

struct child {
    pid_t pid; /* 0: does not run */
    int control;
    int errands; /* that a deliverd just started will send on, for who takes it over; else -1 */
    bool ready;
    bool wanted;        /* this generation has this role */
    int64_t started;    /* clock_now */
    int64_t restart_at; /* clock_now; CLOCK_NEVER: not due */
    int deaths;         /* in a row */
};

struct generation {
    struct conf conf;
    struct listeners specs;
    int listeners[LISTENERS_MAX];
    struct certificates certificates; /* none without smtpd */
    struct child children[CHILD_ROLES];
};

/* Takes CONF and CERTIFICATES.  Sockets that OLD (or NULL) has are shared, the others are bound; NULL with the reason in ERROR and nothing
 * left open. */
struct generation *generation_new(struct conf *conf, struct certificates *certificates, const struct generation *old, char *error, size_t error_size);
/* Closes the sockets that OTHER (or NULL) does not share, and frees all.  Its children have been let go. */
void generation_free(struct generation **g, const struct generation *other);

/* Starts the child of ROLE, and logs it; a failure sets restart_at. */
void generation_start(struct generation *g, enum child_role role);
/* Reads certificates that have changed and gives them to smtpd; what is wrong with them goes to the log. */
void generation_watch(struct generation *g);
/* Closes the control socket: the child stops. */
void generation_let_go(struct child *child);
bool generation_is_ready(const struct generation *g);

#endif

/*
 * launch - starts the command of an errand as a process of its own.
 *
 * It runs in a session and process group of its own, in /, with umask 077, an environment of PATH alone (a pipe's also has SENDER,
 * RECIPIENT and ORIGINAL_RECIPIENT, made of harmless characters), the message as standard input, /dev/null as standard output, the
 * errand's pipe as standard error and no other descriptor, as the user that it is for, within limits of the system.  It dies with this
 * process.  Nothing blocks; no shell is ever started.
 */
#ifndef LAUNCH_H
#define LAUNCH_H

#include "base/errand.h"
#include "person.h"

struct launch_rules {
    const char *lda;         /* the program */
    struct person lda_user, pipe_user;
    bool shares_user;        /* pipe_user is also who deliverd runs as: its threads would count */
    int64_t timeout_ms;
    int64_t concurrency;
};

/* The pid, which is also its process group, or -1 with errno set.  *TROUBLE is for launch_trouble, when the process has ended. */
pid_t launch_start(const struct errand *e, const struct launch_rules *rules, int *trouble);

/* 0, or the errno for which the process never became the command.  Closes TROUBLE. */
int launch_trouble(int *trouble);

/* Appends VALUE with everything but letters, digits and a few harmless characters replaced by `_`. */
void launch_clean(struct buf *to, struct str value);

#endif

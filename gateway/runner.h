/*
 * runner - the parent's side of errands (base/errand.h): dovecot-lda and the commands of aliases run as the parent's children.
 *
 * It listens to every deliverd that the parent has started, until that one is gone, under the configuration that it was started with.  A
 * command has TMAIL_LOCAL_TIMEOUT; then it, and all of its process group, is killed.  So it is when nobody waits for its result any more:
 * deliverd has died, or gave up because it stops.  What a command leaves running in its process group when it ends is killed, too; what
 * it puts into a session of its own is not found, and lives within the limits of its user.  One thread; nothing blocks.
 */
#ifndef RUNNER_H
#define RUNNER_H

#include "conf/conf.h"

#include <sys/types.h>

struct runner;

enum { RUNNER_ERROR_SIZE = 512 };

/* What CONF wants to run can be run.  False with a sentence that names the key; an alias's commands alone are not worth that: a line in the
 * log. */
bool runner_check(const struct conf *conf, char error[RUNNER_ERROR_SIZE]);

struct runner *runner_new(void); /* NULL with errno set */
/* Kills what runs. */
void runner_free(struct runner **r);

/* Listens on SOCKET, and owns it from now on. */
void runner_serve(struct runner *r, int socket, const struct conf *conf);

int runner_fd(const struct runner *r); /* for poll(2) */
int64_t runner_deadline(const struct runner *r); /* clock_now */
/* What runner_fd and runner_deadline ask for. */
void runner_work(struct runner *r);
/* PID has ended, and has not been waited for.  True when it was a command: then that is done, and who waits has been told. */
bool runner_bury(struct runner *r, pid_t pid);

#endif

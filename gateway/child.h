/*
 * child - smtpd and deliverd as processes: starting one, being one.
 *
 * child_start forks and executes this program again, by the path it was started from, so that a new generation of children is also a new
 * version of the program.  The child inherits one end of a socket pair (the control of base/stop.h, on which it also says that it is
 * ready), the configuration in a memory file, the log file, and the listening sockets; smtpd finds the certificates as the first word on
 * the control, and deliverd, in the place of the listening sockets, one on which it has commands run (base/errand.h).  It becomes
 * TMAIL_USER before it looks at anything else.
 */
#ifndef CHILD_H
#define CHILD_H

#include "conf/conf.h"

#include <sys/types.h>

enum child_role { CHILD_SMTPD, CHILD_DELIVERD, CHILD_ROLES };

const char *child_role_name(enum child_role role);

/* The pid, with the parent's end of the control socket in *CONTROL, and of deliverd's other one in *ERRANDS, -1 for smtpd; -1 with errno
 * set.  CERTIFICATES is a descriptor, -1: none. */
pid_t child_start(enum child_role role, const struct conf *conf, int certificates, const int *listeners, size_t count, int *control,
                  int *errands);

/* `tmail child ROLE COUNT`: what a child executes.  Returns its exit status. */
int child_main(int argc, char **argv);

#endif

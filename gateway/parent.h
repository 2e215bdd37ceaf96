/*
 * parent - `tmail run`: binds the sockets, starts smtpd and deliverd, and keeps them running.
 *
 * It has no threads and parses no byte from the network; it is the only part that may be root.  A child that dies is started again, within
 * a second at first, then with growing pauses.  SIGHUP reads the configuration again and, if it is good, starts children with it on the
 * same sockets; when they are ready the old ones are told to finish what they have; if anything fails the old ones stay.  It runs the
 * commands that deliverd may not run as who they are for (runner.h).  SIGTERM and
 * SIGINT tell all children to finish, and kill those that are not gone when TMAIL_STOP_TIMEOUT is over.
 */
#ifndef PARENT_H
#define PARENT_H

#include "conf/conf.h"

/* Takes CONF.  Blocks until it is told to stop; returns an exit status. */
int parent_run(struct conf *conf);

#endif

/*
 * deliverd - the process that delivers.
 *
 * deliverd_run opens the queue and the directory, and schedules until the parent tells it to drain or to stop (base/stop.h), which is the
 * same for it.  It returns an exit status within the grace of the stop.
 */
#ifndef DELIVERD_DELIVERD_H
#define DELIVERD_DELIVERD_H

#include "conf/conf.h"

/* ERRANDS: the socket to the parent for commands (base/errand.h); -1: there is none. */
int deliverd_run(const struct conf *conf, int errands);

#endif

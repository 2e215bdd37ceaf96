/*
 * deliverd - the process that delivers.
 *
 * deliverd_run opens the queue and the directory, says that it is ready by the byte `R` on the stop descriptor, and schedules until that descriptor tells
 * it to stop.  It returns an exit status within the grace of the stop.
 */
#ifndef DELIVERD_DELIVERD_H
#define DELIVERD_DELIVERD_H

#include "conf/conf.h"

int deliverd_run(const struct conf *conf);

#endif

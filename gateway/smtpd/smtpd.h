/*
 * smtpd - the process that receives.
 *
 * smtpd_run opens the directory and the queue, takes connections on the listeners that it inherited, and runs each session in a thread of
 * its own, up to the limits.  It returns, with an exit status, when the parent has told it to drain or to stop (base/stop.h) and the
 * sessions have ended or their grace is over.
 */
#ifndef SMTPD_SMTPD_H
#define SMTPD_SMTPD_H

#include "conf/conf.h"

int smtpd_run(const struct conf *conf, const int *listeners, size_t count);

#endif

/*
 * program - one try to deliver one recipient by a program: dovecot-lda, or the command of an alias.
 *
 * The counterpart of attempt.h's connections for hops that are no server.  program_run leaves a status with every delivery of the job, and
 * blocks up to TMAIL_LOCAL_TIMEOUT for each.
 */
#ifndef DELIVERD_PROGRAM_H
#define DELIVERD_PROGRAM_H

#include "deliverd/connection.h"

bool program_serves(const struct route_plan *plan);
/* FIELDS: of the header, to be put in front.  BODY holds the content when the claim did not bring it along. */
void program_run(const struct attempt_context *context, struct job *job, struct str fields, struct body *body);

#endif

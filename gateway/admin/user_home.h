/*
 * user_home - `user del --purge-home`: a user and the mail go.
 */
#ifndef ADMIN_USER_HOME_H
#define ADMIN_USER_HOME_H

#include "admin/command.h"

/* Asks, deletes the user of the first word, and then the home, if it is the one that tmail makes of that login and nothing else that stands
 * in the database.  Returns the exit status. */
int user_home_del(struct invocation *i);

#endif

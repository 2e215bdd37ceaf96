/*
 * create - whether a database that is not there may be made.
 *
 * With a terminal as standard input the administrator is asked, as at a first start; without one the answer is yes.  A database that has
 * something in it is not asked about.
 */
#ifndef ADMIN_CREATE_H
#define ADMIN_CREATE_H

#include <stdbool.h>

/* False when the administrator said no, or nothing more.  Blocks for the answer. */
bool create_allowed(const char *driver, const char *path);

#endif

/*
 * sealed - whether the database holds secrets that were sealed, which their key must then be there for.
 *
 * Asked before anything more is sealed: a key file that is merely away, with a file system that is not mounted, is not to be replaced by a
 * new one, which would open none of the old secrets.
 */
#ifndef DIRECTORY_SEALED_H
#define DIRECTORY_SEALED_H

#include "directory/secrets.h"
#include "directory/tables.h"

/* 2xx: the key is there, or nothing has been sealed yet; else 550, which names the file and says what to do. */
struct status sealed_check(struct tables *t, struct secrets *secrets);

#endif

/*
 * identity - the user that works: TMAIL_USER where tmail was started as root, else whoever started it.
 *
 * Root's rights end here, for good: identity_become changes user, group and supplementary groups and proves that there is no way back.
 * The folders of TMAIL_DB_SOURCE and TMAIL_STORE_SOURCE are made, 0750 and owned by that user, where they are missing; what exists is left
 * as it is.  Errors are one printable line that names the key to change.
 */
#ifndef ADMIN_IDENTITY_H
#define ADMIN_IDENTITY_H

#include "conf/conf.h"

enum { IDENTITY_ERROR_SIZE = 512 };

/* As root: TMAIL_USER exists and is not root itself.  Otherwise always true. */
bool identity_check(const struct conf *c, char *error, size_t error_size);
/* Makes the folders; as root for TMAIL_USER.  Not root: true even where they cannot be made, the database will say so. */
bool identity_make_folders(const struct conf *c, char *error, size_t error_size);
/* Makes the folders and, as root, becomes TMAIL_USER.  After false the process must end. */
bool identity_become(const struct conf *c, char *error, size_t error_size);

#endif

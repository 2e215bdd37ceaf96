/*
 * file - all of a file, within a bound.
 *
 * Appends to a struct buf, whose limit is the bound.  False with errno set, EFBIG when there is more than the limit.  Blocks for the file.
 */
#ifndef BASE_FILE_H
#define BASE_FILE_H

#include "base/buf.h"

bool file_read(const char *path, struct buf *to);
/* From where FD stands to its end. */
bool file_read_fd(int fd, struct buf *to);

/* Lets this process have as many descriptors open as the system allows it. */
void file_raise_limit(void);

/* Makes the name of the file at PATH durable, by a sync of its folder. */
bool file_sync_name(const char *path);

#endif

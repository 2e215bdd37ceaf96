/*
 * homes - the folders of mailboxes, as the table has them and as they are on disk.
 *
 * Paths are compared by their words: doubled slashes, `.` and `..` count for what they mean, symbolic links are not looked at.
 */
#ifndef DIRECTORY_HOMES_H
#define DIRECTORY_HOMES_H

#include "directory/tables.h"

/* HOME, of LOGIN, is to be deleted: refused where that of somebody else is the same folder, inside it, or around it. */
struct status homes_check_alone(struct tables *t, struct str login, struct str home);
/* Success; its text says so where HOME, of a mailbox that is new, is a folder already.  Blocks for the file system. */
struct status homes_note_existing(struct str home);

#endif

/*
 * tree - deletes a folder and all that is in it.
 *
 * No symbolic link below the base is followed: what a link points to stays, and a link in the way of the path ends there.  Other programs
 * may put things there meanwhile; what cannot be deleted is said and left, and so is another file system that is mounted there.  Blocks for
 * the file system.
 */
#ifndef BASE_TREE_H
#define BASE_TREE_H

#include "base/buf.h"

/* Deletes PATH, names separated by /, below the folder BASE, and those folders on the way that are empty then and no mount points.  Returns
 * whether PATH is gone, also when it never was; else TROUBLE has a line for each thing that stays, with the reason. */
bool tree_delete(const char *base, struct str path, struct buf *trouble);

#endif

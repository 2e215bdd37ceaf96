/*
 * alias_command - whether the command of a new alias can be run.
 *
 * Its words are those of base/argv.h.  The first one is the absolute path of a program, or the name of one in /usr/local/bin, /usr/bin or
 * /bin, where those who run it look, too.  Blocks for the file system.
 */
#ifndef DIRECTORY_ALIAS_COMMAND_H
#define DIRECTORY_ALIAS_COMMAND_H

#include "base/status.h"

struct status alias_command_check(struct str command);

#endif

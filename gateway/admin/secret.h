/*
 * secret - a password that is typed rather than given as a word.
 *
 * From a terminal it is read without echo, twice; from anything else the first line of standard input is taken.  An interrupt gives
 * the terminal its echo back and counts as no answer.
 */
#ifndef ADMIN_SECRET_H
#define ADMIN_SECRET_H

#include <stdbool.h>
#include <stddef.h>

enum { SECRET_SIZE = 520 };

/* TO has SECRET_SIZE bytes; false with the reason in *PROBLEM. */
bool secret_read(char *to, const char **problem);

#endif

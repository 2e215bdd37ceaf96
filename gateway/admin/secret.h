/*
 * secret - a password or token that is typed rather than given as a word, where ps(1) and the shell's history would show it.
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
/* One that is pasted: asked for once, with PROMPT on a terminal; else the next line.  "" in TO (SIZE bytes) when there is none. */
bool secret_read_once(const char *prompt, char *to, size_t size, const char **problem);

#endif

/*
 * shell - one line of a file that a shell could source and systemd could read as an EnvironmentFile.
 *
 * Understood: blank lines and comments, KEY=value, `export KEY=value`, `export KEY`; values bare, 'single' or "double" quoted, or such
 * pieces side by side; the backslash as POSIX has it (XCU 2.2); a comment behind the value.  Nothing is ever expanded: where a shell would
 * expand, and where the value would go on in the next line, the line is refused.  Of what a shell wants quoted, a bare value may hold
 * `; & | < > ( )`, as systemd takes them.
 */
#ifndef CONF_SHELL_H
#define CONF_SHELL_H

#include "base/buf.h"

enum shell_line { SHELL_NOTHING, SHELL_ASSIGNMENT, SHELL_BAD };

/* Reads LINE (without its newline).  An assignment leaves KEY, a part of LINE, and VALUE; a bad line KEY (empty if it has none) and what is
 * wrong in PROBLEM.  A key that does not start with PREFIX is another program's: its value may be anything that closes its quotes. */
enum shell_line shell_read(struct str line, struct str prefix, struct str *key, struct buf *value, const char **problem);

/* Appends VALUE as a shell reads it back: bare where that is safe, else in single quotes. */
void shell_write(struct buf *to, struct str value);

#endif

/*
 * argv - a command as people type it, cut into its words.  No shell: nothing in it is ever expanded or run.
 *
 * Spaces and tabs separate words.  Between '…' all is as it stands; between "…" and outside of quotes a backslash takes the character
 * behind it as it is.  '' and "" make an empty word; the first word, the program, is not empty.  Control characters are refused.  The words
 * live in the arena, each with a NUL behind it.
 */
#ifndef BASE_ARGV_H
#define BASE_ARGV_H

#include "base/arena.h"

enum { ARGV_WORDS = 64, ARGV_SIZE = 4096 };

struct argv {
    struct str words[ARGV_WORDS];
    size_t count;
};

/* False with the reason in *WHY, half a sentence: "a quote is not closed". */
bool argv_split(struct str command, struct arena *arena, struct argv *argv, const char **why);

#endif

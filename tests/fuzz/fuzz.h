/*
 * fuzz - what the targets share.
 *
 * A target is one file with one function that takes any bytes and returns 0.  libFuzzer calls it (NAME_fuzz), and so does replay.c with the
 * files of corpus/NAME (NAME_replay), so that what was found once is looked for in every `make check`.  What must hold is said with
 * fuzz_check.
 */
#ifndef FUZZ_H
#define FUZZ_H

#include "base/buf.h"

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define fuzz_check(expression) \
    do { \
        if (!(expression)) \
            fuzz_fail(__FILE__, __LINE__, #expression); \
    } while (0)

static inline void fuzz_fail(const char *file, int line, const char *expression)
{
    fprintf(stderr, "%s:%d: does not hold: %s\n", file, line, expression);
    abort();
}

/* The bytes as a str; never NULL. */
static inline struct str fuzz_input(const uint8_t *data, size_t size)
{
    return size > 0 ? (struct str){(const char *)data, size} : STR("");
}

/* A copy exactly as long as it is, for the sanitizer's eyes; to be freed. */
static inline char *fuzz_exact(struct str s)
{
    char *copy = malloc(s.length > 0 ? s.length : 1);

    if (copy == NULL)
        abort();
    if (s.length > 0)
        memcpy(copy, s.data, s.length);
    return copy;
}

#endif

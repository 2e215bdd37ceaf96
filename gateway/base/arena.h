/*
 * arena - memory that lives and dies together.
 *
 * A session has one, a transaction has one: nobody frees pieces.  arena_init reserves nothing; the first piece takes the first block.
 * arena_done frees all; the struct can be used again.  Pieces are aligned for any type and zeroed.  How much may be taken is bounded by
 * the callers, who bound the lines and the numbers of things they keep.
 */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include "base/str.h"

struct arena_block;

struct arena {
    struct arena_block *blocks;
};

void arena_init(struct arena *a);
void arena_done(struct arena *a);

void *arena_new(struct arena *a, size_t size);
struct str arena_str(struct arena *a, struct str s);    /* a copy, with a NUL behind its last byte */
const char *arena_text(struct arena *a, struct str s);  /* the same as a C string */
struct str arena_lower(struct arena *a, struct str s);  /* a copy in ASCII lower case */

#endif

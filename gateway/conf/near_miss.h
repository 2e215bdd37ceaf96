/*
 * near_miss - which word was meant by one that is not known.
 *
 * Distance is the number of letters to add, drop, change or swap with their neighbour (case does not count).  Feed the known words one by
 * one; `word` is then the nearest of those that are near enough to name, NULL when none is.
 *     struct near_miss miss = near_miss_of(typed);
 *     for each word: near_miss_try(&miss, word);
 */
#ifndef CONF_NEAR_MISS_H
#define CONF_NEAR_MISS_H

#include "base/str.h"

struct near_miss {
    struct str typed;
    const char *word;
    size_t distance; /* of word; without one: the first that is too far */
};

struct near_miss near_miss_of(struct str typed);
void near_miss_try(struct near_miss *m, const char *word);

#endif

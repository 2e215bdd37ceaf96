#include "base/arena.h"

#include "base/memory.h"

#include <stdalign.h>
#include <string.h>

enum { BLOCK_SIZE = 1024 };

struct arena_block {
    struct arena_block *next;
    size_t used, size;
    alignas(max_align_t) char bytes[];
};

void arena_init(struct arena *a)
{
    a->blocks = NULL;
}

void arena_done(struct arena *a)
{
    while (a->blocks != NULL) {
        struct arena_block *block = a->blocks;

        a->blocks = block->next;
        memory_free(&block);
    }
}

static struct arena_block *block_with_room(struct arena *a, size_t size)
{
    struct arena_block *block = a->blocks;

    if (block == NULL || block->size - block->used < size) {
        size_t room = size > BLOCK_SIZE ? size : BLOCK_SIZE;

        block = memory_new(sizeof *block + room);
        block->size = room;
        block->next = a->blocks;
        a->blocks = block;
    }
    return block;
}

void *arena_new(struct arena *a, size_t size)
{
    const size_t align = alignof(max_align_t);
    size_t rounded = (size + align - 1) / align * align;
    struct arena_block *block = block_with_room(a, rounded);
    void *piece = block->bytes + block->used;

    block->used += rounded;
    return piece;
}

struct str arena_str(struct arena *a, struct str s)
{
    char *copy = arena_new(a, s.length + 1);

    if (s.length > 0)
        memcpy(copy, s.data, s.length);
    return (struct str){copy, s.length};
}

const char *arena_text(struct arena *a, struct str s)
{
    return arena_str(a, s).data;
}

struct str arena_lower(struct arena *a, struct str s)
{
    char *copy = arena_new(a, s.length + 1);

    for (size_t i = 0; i < s.length; i++)
        copy[i] = ascii_lower(s.data[i]);
    return (struct str){copy, s.length};
}

#include "base/memory.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void *checked(void *memory)
{
    static const char complaint[] = "tmail: out of memory\n";

    if (memory == NULL) {
        if (write(STDERR_FILENO, complaint, sizeof complaint - 1) < 0)
            _exit(71);
        abort();
    }
    return memory;
}

void *memory_new(size_t size)
{
    return checked(calloc(1, size > 0 ? size : 1));
}

void *memory_resize(void *memory, size_t size)
{
    return checked(realloc(memory, size > 0 ? size : 1));
}

void *memory_copy(const void *data, size_t size)
{
    void *copy = memory_resize(NULL, size);

    if (size > 0)
        memcpy(copy, data, size);
    return copy;
}

char *memory_string(const char *text)
{
    return memory_copy(text, strlen(text) + 1);
}

void memory_free(void *address_of_pointer)
{
    void *memory;

    memcpy(&memory, address_of_pointer, sizeof memory);
    free(memory);
    memset(address_of_pointer, 0, sizeof memory);
}

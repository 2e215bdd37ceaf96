/*
 * memory - heap memory that is always there.
 *
 * A failed allocation ends the process with one log line: the parent starts a new one, and everything that was promised is in the
 * queue.  Callers bound what they ask for; nothing here does.  Memory from memory_new is zeroed.  memory_free takes the address of
 * the pointer and leaves NULL behind.
 */
#ifndef BASE_MEMORY_H
#define BASE_MEMORY_H

#include <stddef.h>

void *memory_new(size_t size);
void *memory_resize(void *memory, size_t size);
void *memory_copy(const void *data, size_t size);
char *memory_string(const char *text);

/* For variables of any pointer type: memory_free(&pointer). */
void memory_free(void *address_of_pointer);

#endif

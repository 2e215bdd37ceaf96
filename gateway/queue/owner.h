/*
 * owner - which deliverer has a recipient in progress, and whether it still lives.
 *
 * A deliverer's number is a byte of the file `owners` in the store folder that it holds locked (fcntl F_OFD_SETLK) for as long as it lives;
 * the kernel lets go when the process ends, however it ends.  So a new deliverer can tell what an old one that drains still has in hand
 * from what a dead one left behind.  Nothing here blocks.
 */
#ifndef QUEUE_OWNER_H
#define QUEUE_OWNER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct owner {
    int fd;
    int64_t number;
};

bool owner_open(struct owner *o, const char *folder, char *error, size_t error_size);
/* For asking alone: takes no number, makes no file.  False: no deliverer has ever been here, as far as we may know. */
bool owner_look(struct owner *o, const char *folder);
void owner_close(struct owner *o);
/* Other deliverers live. */
bool owner_has_company(const struct owner *o);
bool owner_is_alive(const struct owner *o, int64_t number);

#endif

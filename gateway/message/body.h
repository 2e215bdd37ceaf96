/*
 * body - the content of one message, on its way in or out.
 *
 * It grows in memory up to BODY_MEMORY_MAX; beyond that it moves to an unlinked file in the scratch folder, so that a message of any size
 * costs bounded memory and leaves nothing behind.  A write that fails (scratch space full) is remembered: body_failed.  One thread at a
 * time.
 */
#ifndef MESSAGE_BODY_H
#define MESSAGE_BODY_H

#include "base/status.h"

/* A BLOB of SQLite ends at 1,000,000,000 bytes; our own trace fields need some of them. */
enum { BODY_MOST = 950 << 20 };
enum { BODY_MEMORY_MAX = 128 << 10, BODY_PIECE = 64 << 10 };

struct body {
    struct buf memory;
    const char *tempdir; /* borrowed */
    int fd;              /* -1 while all is in memory */
    int64_t size;
    int error;           /* errno of the first failure */
};

void body_init(struct body *b, const char *tempdir);
void body_done(struct body *b);

void body_append(struct body *b, struct str bytes);
/* A temporary status (452 4.3.1 for a full disk) when an append or a read has failed. */
bool body_failed(const struct body *b, struct status *why);

/* All of it when it is in memory, else the empty str: then read pieces. */
struct str body_in_memory(const struct body *b);
/* The piece at OFFSET, at most BODY_PIECE bytes; from memory or read into SCRATCH (BODY_PIECE bytes).  Empty at the end and after a
 * failure. */
struct str body_piece(struct body *b, int64_t offset, char *scratch);

#endif

/*
 * commit - group commit: many sessions, one fsync.
 *
 * A committer is a thread with a connection of its own.  committer_put hands it a message and waits; the thread takes all that wait, puts
 * them in one transaction, and wakes their sessions when it is durable.  While one transaction is at the disk the next gathers, so the
 * group grows with the load and a lone message waits for nobody.  If a group fails, its messages are tried one by one, so that one that
 * cannot be stored (a large one on a nearly full disk) does not refuse the others.
 *
 * committer_put is called from any thread and returns 250 only when the message survives power loss in the next instant.
 */
#ifndef QUEUE_COMMIT_H
#define QUEUE_COMMIT_H

#include "queue/queue.h"

struct committer;

/* Opens the queue in FOLDER and starts the thread.  MIN_FREE bytes of its file system are left to those who deliver.  NULL with the reason
 * in ERROR. */
struct committer *committer_open(const char *folder, int64_t min_free, char *error, size_t error_size);
/* 250, or 452 when a message of SIZE bytes would not find its space.  Any thread. */
struct status committer_check_space(const struct committer *c, int64_t size);
/* 250, or 4xx: not stored.  E and BODY stay the caller's. */
struct status committer_put(struct committer *c, const struct envelope *e, struct body *body);

#endif

/*
 * upkeep - what keeps queue.db small and its log short while others use it.
 *
 * Three chores, each in steps that hold the queue for UPKEEP_STEP_MS or so and leave it to others between them: what is written in the
 * write-ahead log is copied into the database before a writer would have to do it; the history is pruned (history.h); and where much of the
 * file is free and stays so, its end is given back to the file system, if the database was made by a tmail that prepared it for that.
 * Nothing is done where there is nothing to do.
 *
 * A step is a function for tests; upkeep_start is a thread that takes them in turns until the stop, with a connection of its own.  What the
 * thread does is lost by a power failure as long as no one else has committed, and then done again.
 */
#ifndef QUEUE_UPKEEP_H
#define QUEUE_UPKEEP_H

#include "conf/conf.h"
#include "queue/history.h"

enum { UPKEEP_STEP_MS = 20, UPKEEP_ROWS = 200, UPKEEP_PAGES = 100 };

/* How much a step does: as much as fits its time, found by doing it. */
struct upkeep_size {
    int now, most;
};

struct upkeep {
    struct queue queue;
    struct history_pruner pruner;
    const struct conf *conf;
    struct db_query *pages, *page_size, *free_pages, *version;
    struct upkeep_size rows, vacuum;
    int64_t version_seen; /* of the database, when the log was last looked at */
    int log_seen;         /* pages in the log then */
    int64_t log_wait;     /* ms until the next look */
    int64_t free_least;   /* octets: fewer are not worth the work */
    int64_t free_seen;    /* pages; -1: not looked yet */
    bool giving_back;     /* until little is free */
};

bool upkeep_open(struct upkeep *u, const struct conf *conf, char *error, size_t error_size);
void upkeep_close(struct upkeep *u);

/* Each does a step, and says after how many milliseconds the next may come. */
int64_t upkeep_log(struct upkeep *u);
int64_t upkeep_history(struct upkeep *u);
int64_t upkeep_free_pages(struct upkeep *u);

struct upkeep_thread;
/* CONF stays.  NULL with the reason in ERROR. */
struct upkeep_thread *upkeep_start(const struct conf *conf, char *error, size_t error_size);
/* After the stop: waits until the step at hand is done.  T may be NULL. */
void upkeep_wait(struct upkeep_thread *t);

#endif

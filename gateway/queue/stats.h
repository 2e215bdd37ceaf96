/*
 * stats - what waits, by destination and age, and why: one look at the whole queue.
 *
 * One pass over the table of recipients: under a second at 1,000,000 of them, and less than its partial indexes take, which send SQLite to
 * the table for each row.  Waiting is what is scheduled, in progress or held.  Reasons are costlier: of a long queue every second, third
 * and so on is looked at.  Memory is bounded: destinations and reasons beyond the first STATS_DESTINATIONS_MAX and STATS_REASONS_MAX that
 * are met are counted together.
 */
#ifndef QUEUE_STATS_H
#define QUEUE_STATS_H

#include "base/arena.h"
#include "base/db.h"
#include "queue/queue.h"

enum { STATS_AGES = 10, STATS_DESTINATIONS_MAX = 1 << 18, STATS_REASONS_MAX = 4096, STATS_HOSTS_MAX = 8, STATS_SAMPLE = 400000 };

/* An age is counted where it is less than so many minutes; the last column has the others. */
extern const int stats_minutes[STATS_AGES - 1];

/* What is told apart: it starts with its name. */
struct stats_name {
    struct str text;
    uint32_t hash;
};

struct stats_destination {
    struct stats_name domain;
    uint32_t ages[STATS_AGES];
    int64_t recipients;
    int64_t oldest; /* clock_wall of the oldest message; 0: none */
    int64_t next;   /* when the first is due; 0: none is scheduled */
};

struct stats_host {
    struct str name;
    int64_t recipients;
};

struct stats_reason {
    struct stats_name shape; /* with the codes in front */
    int64_t recipients;
    int code;            /* 0: none */
    struct str enhanced; /* "": none */
    struct str text;
    struct stats_host hosts[STATS_HOSTS_MAX]; /* the first that were met, the busiest first */
    size_t host_count;
    int64_t other_hosts; /* recipients of others */
};

/* Names without number but one each; the slots are a hash table until stats_read is done, and then sorted, the largest first. */
struct stats_table {
    void **slots;
    size_t size, count, most;
    int64_t others; /* recipients of what did not fit */
};

struct stats {
    struct arena arena;
    int64_t states[RECIPIENT_DISCARDED + 1];
    struct stats_destination all;
    struct stats_table destinations; /* of struct stats_destination */
    struct stats_table reasons;      /* of struct stats_reason: why recipients wait that have been tried */
    int64_t every;                   /* the reasons are those of every so many-th recipient; 1: of all */
    int64_t sampled;                 /* whose reasons were counted */
};

/* Looks at the reasons of SAMPLE recipients or so, STATS_SAMPLE but for tests. */
bool stats_read(struct stats *s, struct db *db, int64_t now, int64_t sample);
void stats_done(struct stats *s);
const struct stats_destination *stats_destination(const struct stats *s, size_t place);
const struct stats_reason *stats_reason(const struct stats *s, size_t place);

#endif

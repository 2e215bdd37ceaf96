/*
 * rates - when the next message may go to a next hop, and to a destination domain.
 *
 * Both are limited: by a row of the directory (directory/limits.h), or by the configuration's rate.  A next hop is a host and a port of
 * route/route.h: the host of a route, or the destination domain where its MX is the way.  What is counted is jobs, a message with its
 * recipients of one way, when they are handed to the workers.
 *
 * Messages go evenly spaced, not N at the start of each minute.  Two of them are (unit + 40 ms) / N apart, but one may go up to 40 ms
 * before its time, so that what the scheduler's turns are late by is made good.  So in no unit of time, wherever it starts, do more than
 * N go, and a backlog gets N * unit / (unit + 40 ms): 96 % of a rate a second, 99.9 % of one a minute.
 *
 * Who is refused is told when to come again.  Half of them get the next place in a line that is as long as the backlog, the others some
 * time before its end, for places that nobody comes for; behind ten minutes of line all get some time within it.  So a backlog does not
 * come back all at once, and the directory's changes are in force for it after ten minutes at the latest, or after one spacing where that
 * is longer; `tmail queue flush` brings it back at once, and begins a new line.
 *
 * What is limited and has been used takes one of 32768 places, those that are not in use any more are taken first; when all that a name
 * may have are in use the one that waits for the shortest time is forgotten, and may go once too early.  Answers of the directory count
 * for a second, and not beyond a flush.  Memory and places live in the process: while a reload drains an old deliverer, each has its own,
 * and both together may send twice as fast; a restart forgets the last message of a spacing.
 *
 * One thread calls.  Times are clock_now, and only parameters.  Blocks for the directory.
 */
#ifndef DELIVERD_RATES_H
#define DELIVERD_RATES_H

#include "base/status.h"
#include "conf/conf.h"
#include "directory/directory.h"

enum { RATES_SLACK_MS = 40, RATES_LINE_MS = 600000 };

struct rates;

/* CONF and DIRECTORY live longer. */
struct rates *rates_new(const struct conf *conf, const struct directory *directory);
void rates_free(struct rates **r);

/* Where a job goes. */
struct rates_way {
    const char *host; /* of the hop; NULL: only the domain is asked for, for a further domain in the same job */
    int port;
    struct str domain; /* of the recipients, in normal form */
    int64_t flushed;   /* clock_wall when an administrator asked for them (delivery.flushed), 0: never */
};

/* Why a job must wait. */
struct rates_wait {
    int64_t until; /* clock_now; later than now */
    struct status why; /* 451 4.4.5 names the limit; 451 4.3.0: the directory cannot be asked */
};

/* True: the job may go, and is counted for the hop and for the domain.  False: it is counted for neither, and WAIT says how long all its
 * recipients wait: a job asks once, not once a recipient, for each refusal takes a place in the line. */
bool rates_take(struct rates *r, const struct rates_way *way, int64_t now, struct rates_wait *wait);
/* A job that was counted a moment ago does not start. */
void rates_give_back(struct rates *r, const struct rates_way *way);

/* What counts for the name: the row, or the configuration's rate; count 0: no limit.  False when the directory cannot be asked. */
bool rates_find(const struct conf *conf, const struct directory *directory, const struct limit_question *question, struct rate *rate);

#endif

/*
 * bouncer - deliverd's thread that reports what is over.
 *
 * It looks when it is poked, and every few seconds, for messages with recipients that are over (queue/over.h), and has bounce.h settle them,
 * some in a transaction.  A message of which other recipients are being delivered waits for them up to half a minute, so that one report tells
 * of all that failed together.  With TMAIL_BOUNCE_ENABLED=false it removes what was discarded, and leaves what failed.  What the database
 * refuses is tried again at the next look; meanwhile the others go on.
 */
#ifndef REPORT_BOUNCER_H
#define REPORT_BOUNCER_H

#include "conf/conf.h"
#include "directory/directory.h"

struct bouncer;

/* A thread with a connection of its own to the queue, until the stop.  CONF and DIRECTORY stay.  NULL with the reason in ERROR. */
struct bouncer *bouncer_start(const struct conf *conf, const struct directory *directory, char *error, size_t error_size);
/* Something is over; any thread, blocks for nothing.  B may be NULL. */
void bouncer_poke(struct bouncer *b);
/* After the stop: waits until the transaction at hand is done, and frees B, which may be NULL. */
void bouncer_wait(struct bouncer *b);

#endif

/*
 * dns_silence - whether the resolvers answer at all.
 *
 * Times are those of clock_now.  A question that ran out of time says little: a foreign zone may be slow.  Resolvers are silent when
 * several did since the last sign of life, and that is some seconds old.  An answer that took its time is a sign of life; one that came at
 * once may be out of our own cache and says nothing.  Silence that nothing confirms is forgotten after some minutes.  The caller holds its
 * lock.
 */
#ifndef NET_DNS_SILENCE_H
#define NET_DNS_SILENCE_H

#include <stdbool.h>
#include <stdint.h>

struct dns_silence {
    int timeouts; /* since the last sign of life */
    bool lived;
    int64_t last_timeout, last_life;
};

bool dns_silence_is(const struct dns_silence *s, int64_t now);
void dns_silence_timeout(struct dns_silence *s, int64_t now);
/* TOOK: milliseconds. */
void dns_silence_answer(struct dns_silence *s, int64_t now, int64_t took);

#endif

/*
 * dns_silence - whether the resolvers answer at all.
 *
 * Times are those of clock_now.  Resolvers are silent when several questions in a row ran out of time; then one question a second may still
 * go out.  An answer that took its time ends the silence.  One that came at once may be out of our own cache, so it takes many of them; but
 * it lets the next question out without a wait, so that what is cached keeps its answers.  The caller holds its lock.
 */
#ifndef NET_DNS_SILENCE_H
#define NET_DNS_SILENCE_H

#include <stdbool.h>
#include <stdint.h>

struct dns_silence {
    int timeouts, quick;
    int64_t last_timeout, next_probe;
};

bool dns_silence_is(const struct dns_silence *s, int64_t now);
/* Whether a question may go out now. */
bool dns_silence_permits(struct dns_silence *s, int64_t now);
void dns_silence_timeout(struct dns_silence *s, int64_t now);
/* TOOK: milliseconds. */
void dns_silence_answer(struct dns_silence *s, int64_t now, int64_t took);

#endif

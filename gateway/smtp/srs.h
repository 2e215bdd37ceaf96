/*
 * srs - the Sender Rewriting Scheme: the sender of mail that is forwarded becomes an address of the forwarder's.
 *
 * Who checks by SPF whether a host may send for a sender's domain refuses what we forward under the sender it came with.  After
 *     SRS0=HASH=TIME=DOMAIN=LOCAL@OURS             for LOCAL@DOMAIN
 *     SRS1=HASH=FIRST==HASH=TIME=DOMAIN=LOCAL@OURS for the SRS0 of another forwarder, FIRST, and for the SRS1 of one after it
 * reports come to us, and we know by the hash that we made the address, and by the time, in days, that this was not long ago.  The form is
 * that of Meng Weng Wong's and Shevek's paper; the hash is the first letters of an HMAC-SHA-256, in base64, of all that stands behind it,
 * in lower case, for mail servers on the way may change the case.  Behind SRS0 and SRS1 there may be - and + instead of =.
 *
 * The local part may become longer than the 64 octets that RFC 5321 section 4.5.3.1.1 grants; the address keeps to its limit.  Pure.
 */
#ifndef SMTP_SRS_H
#define SMTP_SRS_H

#include "base/arena.h"

enum { SRS_DAYS_VALID = 21, SRS_DAYS = 1024, SRS_SECRET_MIN = 16 };

struct srs {
    struct str domain; /* of the rewritten senders, in normal form */
    struct str secret;
};

enum srs_result {
    SRS_OK,
    SRS_FOREIGN, /* no address of this scheme */
    SRS_FORGED,
    SRS_EXPIRED,
};

/* SENDER, not the null sender, as it goes on; one of our own domain is as it was.  DAY counts since 1970.  False when it is no address, or
 * the rewritten one would be too long. */
bool srs_forward(const struct srs *s, struct str sender, int64_t day, struct arena *arena, struct str *rewritten);

/* The address behind LOCAL (without quotes) at our domain.  It is what we once rewrote; nothing else is said of it. */
enum srs_result srs_reverse(const struct srs *s, struct str local, int64_t day, struct arena *arena, struct str *address);

#endif

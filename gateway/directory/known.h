/*
 * known - passwords that were right a while ago, so that a client with a session for each message does not cost a hash for each.
 *
 * What is kept is a keyed digest of the password and the hash that it fits, under a key that only this process has and that is nowhere
 * written.  Another hash, by a change of the password, is another digest.  The table is fixed: a new entry takes the place of an old one.
 * Any thread; nothing blocks but a short lock.
 */
#ifndef DIRECTORY_KNOWN_H
#define DIRECTORY_KNOWN_H

#include "base/crypto.h"
#include "base/thread.h"

enum { KNOWN_SLOTS = 1024 };

struct known {
    struct lock lock;
    int64_t remember; /* ms */
    unsigned char key[CRYPTO_KEY];
    struct {
        unsigned char digest[CRYPTO_SHA256];
        int64_t until; /* clock_now */
    } entries[KNOWN_SLOTS];
};

void known_init(struct known *k, int64_t remember_ms);
void known_done(struct known *k);

bool known_has(struct known *k, struct str password, const char *hash);
void known_add(struct known *k, struct str password, const char *hash);

#endif

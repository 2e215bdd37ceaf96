#include "directory/known.h"

#include "base/clock.h"

void known_init(struct known *k, int64_t remember_ms)
{
    *k = (struct known){.remember = remember_ms};
    lock_init(&k->lock);
    crypto_random(k->key, sizeof k->key);
}

void known_done(struct known *k)
{
    lock_done(&k->lock);
    crypto_wipe(k, sizeof *k);
}

/* The digest of the password is of one length: what follows it cannot be taken for a part of it. */
static size_t find_slot(const struct known *k, struct str password, const char *hash, unsigned char digest[CRYPTO_SHA256])
{
    const struct str key = {(const char *)k->key, sizeof k->key};
    struct buf both = {0};

    crypto_hmac_sha256(key, password, digest);
    buf_add(&both, (struct str){(const char *)digest, CRYPTO_SHA256});
    buf_add_text(&both, hash);
    crypto_hmac_sha256(key, buf_str(&both), digest);
    crypto_wipe_buf(&both);
    return (digest[0] | (size_t)digest[1] << 8) % KNOWN_SLOTS;
}

bool known_has(struct known *k, struct str password, const char *hash)
{
    unsigned char digest[CRYPTO_SHA256];
    size_t slot = find_slot(k, password, hash, digest);
    bool has;

    lock_take(&k->lock);
    has = clock_now() < k->entries[slot].until && crypto_equal(digest, k->entries[slot].digest, sizeof digest);
    lock_release(&k->lock);
    return has;
}

void known_add(struct known *k, struct str password, const char *hash)
{
    unsigned char digest[CRYPTO_SHA256];
    size_t slot = find_slot(k, password, hash, digest);

    lock_take(&k->lock);
    for (size_t i = 0; i < sizeof digest; i++)
        k->entries[slot].digest[i] = digest[i];
    k->entries[slot].until = clock_now() + k->remember;
    lock_release(&k->lock);
}

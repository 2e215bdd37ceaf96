#include "net/tls_library.h"

#include "base/clock.h"
#include "base/crypto.h"

#include <string.h>

static const int64_t span = (int64_t)TLS_TICKET_HOURS * 3600 * 1000;

static void make_key(struct tls_ticket_key *key, int64_t now)
{
    crypto_random(key->name, sizeof key->name);
    crypto_random(key->cipher, sizeof key->cipher);
    crypto_random(key->mac, sizeof key->mac);
    key->made = now;
}

void tls_tickets_init(struct tls_tickets *t, int64_t now)
{
    *t = (struct tls_tickets){.has_previous = false};
    lock_init(&t->lock);
    make_key(&t->current, now);
}

void tls_tickets_done(struct tls_tickets *t)
{
    lock_done(&t->lock);
    crypto_wipe(t, sizeof *t);
}

static void forget_previous(struct tls_tickets *t)
{
    crypto_wipe(&t->previous, sizeof t->previous);
    t->has_previous = false;
}

static void rotate(struct tls_tickets *t, int64_t now)
{
    if (now - t->current.made >= span) {
        t->previous = t->current;
        t->has_previous = true;
        make_key(&t->current, now);
    }
    if (t->has_previous && now - t->previous.made >= 2 * span)
        forget_previous(t);
}

void tls_tickets_current(struct tls_tickets *t, int64_t now, struct tls_ticket_key *key)
{
    lock_take(&t->lock);
    rotate(t, now);
    *key = t->current;
    lock_release(&t->lock);
}

bool tls_tickets_find(struct tls_tickets *t, int64_t now, const unsigned char name[TICKET_NAME], struct tls_ticket_key *key, bool *old)
{
    bool is_current, is_previous;

    lock_take(&t->lock);
    rotate(t, now);
    is_current = memcmp(name, t->current.name, TICKET_NAME) == 0;
    is_previous = t->has_previous && memcmp(name, t->previous.name, TICKET_NAME) == 0;
    if (is_current || is_previous)
        *key = is_current ? t->current : t->previous;
    lock_release(&t->lock);
    *old = is_previous;
    return is_current || is_previous;
}

static bool arm(const struct tls_ticket_key *key, const unsigned char *iv, EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, int seal)
{
    unsigned char secret[TICKET_SECRET];
    char digest[] = "SHA256";
    OSSL_PARAM parameters[] = {
        OSSL_PARAM_construct_octet_string("key", secret, sizeof secret),
        OSSL_PARAM_construct_utf8_string("digest", digest, 0),
        OSSL_PARAM_construct_end(),
    };
    bool good;

    memcpy(secret, key->mac, sizeof secret);
    good = EVP_CipherInit_ex(cipher, EVP_aes_256_cbc(), NULL, key->cipher, iv, seal) == 1 && EVP_MAC_CTX_set_params(mac, parameters) == 1;
    crypto_wipe(secret, sizeof secret);
    return good;
}

/* 1: go on; 2: go on, and send the client a new ticket; 0: no ticket; -1: failure. */
int tls_tickets_serve(struct tls_tickets *t, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, int seal)
{
    struct tls_ticket_key key;
    bool old = false, good;

    if (seal) {
        tls_tickets_current(t, clock_now(), &key);
        memcpy(name, key.name, TICKET_NAME);
        crypto_random(iv, (size_t)EVP_CIPHER_get_iv_length(EVP_aes_256_cbc()));
    } else if (!tls_tickets_find(t, clock_now(), name, &key, &old)) {
        return 0;
    }
    good = arm(&key, iv, cipher, mac, seal);
    crypto_wipe(&key, sizeof key);
    if (!good)
        return -1;
    return old ? 2 : 1;
}

#include "sasl/keys.h"

#include "base/base64.h"
#include "base/hex.h"
#include "sasl/scram.h"

#include <stdio.h>
#include <string.h>

#define SCRAM_SCHEME "SCRAM-SHA-256"

bool sasl_keys_make(struct str password, struct sasl_keys *keys)
{
    struct scram_secrets secrets;

    *keys = (struct sasl_keys){.iterations = SASL_ITERATIONS, .salt_length = SASL_SALT};
    crypto_random(keys->salt, SASL_SALT);
    if (!scram_derive(password, (struct str){(const char *)keys->salt, SASL_SALT}, SASL_ITERATIONS, &secrets))
        return false;
    memcpy(keys->stored_key, secrets.stored_key, CRYPTO_SHA256);
    memcpy(keys->server_key, secrets.server_key, CRYPTO_SHA256);
    crypto_wipe(&secrets, sizeof secrets);
    crypto_md5_state(password, keys->cram);
    keys->has_scram = keys->has_cram = true;
    return true;
}

static void add_base64(const unsigned char *bytes, size_t size, struct buf *to)
{
    base64_encode((struct str){(const char *)bytes, size}, to);
}

void sasl_keys_scram_text(const struct sasl_keys *keys, char *to)
{
    struct buf text = {0};

    buf_print(&text, SCRAM_SCHEME "$%u:", keys->iterations);
    add_base64(keys->salt, keys->salt_length, &text);
    buf_add_byte(&text, '$');
    add_base64(keys->stored_key, CRYPTO_SHA256, &text);
    buf_add_byte(&text, ':');
    add_base64(keys->server_key, CRYPTO_SHA256, &text);
    str_copy(buf_str(&text), to, SASL_SCRAM_TEXT_SIZE);
    crypto_wipe_buf(&text);
}

void sasl_keys_cram_text(const struct sasl_keys *keys, char *to)
{
    hex_write(keys->cram, CRYPTO_MD5_STATE, to);
    to[SASL_CRAM_TEXT_SIZE - 1] = '\0';
}

/* LEAST to SIZE bytes of base64. */
static bool read_bytes(struct str text, size_t least, size_t size, unsigned char *to, size_t *length)
{
    struct buf bytes = {0};
    bool ok = base64_decode(text, &bytes) && bytes.length >= least && bytes.length <= size;

    if (ok)
        memcpy(to, bytes.data, bytes.length);
    *length = bytes.length;
    crypto_wipe_buf(&bytes);
    return ok;
}

static bool read_scram(struct str text, struct sasl_keys *keys)
{
    struct str scheme, work, iterations, stored_key;
    uint64_t number;
    size_t length;

    if (!str_cut(&text, '$', &scheme) || !str_cut(&text, '$', &work) || !str_cut(&work, ':', &iterations) || !str_cut(&text, ':', &stored_key))
        return false;
    if (!str_equal(scheme, STR(SCRAM_SCHEME)) || !str_number(iterations, SASL_ITERATIONS_MAX, &number) || number == 0)
        return false;
    keys->iterations = (unsigned)number;
    return read_bytes(work, 1, SASL_SALT_MAX, keys->salt, &keys->salt_length) &&
           read_bytes(stored_key, CRYPTO_SHA256, CRYPTO_SHA256, keys->stored_key, &length) &&
           read_bytes(text, CRYPTO_SHA256, CRYPTO_SHA256, keys->server_key, &length);
}

bool sasl_keys_read_scram(struct str text, struct sasl_keys *keys)
{
    keys->has_scram = read_scram(text, keys);
    return keys->has_scram;
}

bool sasl_keys_read_cram(struct str text, struct sasl_keys *keys)
{
    keys->has_cram = hex_read(text, keys->cram, CRYPTO_MD5_STATE);
    return keys->has_cram;
}

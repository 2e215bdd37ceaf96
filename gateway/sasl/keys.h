/*
 * keys - what is kept of a password for the mechanisms that never show it.
 *
 * SCRAM's keys (RFC 5802 section 3) are salted and iterated; their text is that of RFC 5803:
 * SCRAM-SHA-256$ITERATIONS:SALT$STOREDKEY:SERVERKEY.  The state of CRAM-MD5 (crypto_md5_state) is neither: whoever has it can log in by
 * CRAM-MD5, and can try passwords fast; its text is 64 hex digits, as Dovecot's scheme of that name has it.  Making SCRAM keys takes tens
 * of milliseconds.
 */
#ifndef SASL_KEYS_H
#define SASL_KEYS_H

#include "base/crypto.h"

enum { SASL_SALT = 16, SASL_SALT_MAX = 64, SASL_ITERATIONS = 65536, SASL_ITERATIONS_MAX = 1000000 };
enum { SASL_SCRAM_TEXT_SIZE = 320, SASL_CRAM_TEXT_SIZE = 65 };

struct sasl_keys {
    bool has_scram;
    unsigned iterations;
    size_t salt_length;
    unsigned char salt[SASL_SALT_MAX];
    unsigned char stored_key[CRYPTO_SHA256], server_key[CRYPTO_SHA256];
    bool has_cram;
    unsigned char cram[CRYPTO_MD5_STATE];
};

/* False when the password cannot be prepared (prepare.h). */
bool sasl_keys_make(struct str password, struct sasl_keys *keys);
void sasl_keys_scram_text(const struct sasl_keys *keys, char *to); /* SASL_SCRAM_TEXT_SIZE */
void sasl_keys_cram_text(const struct sasl_keys *keys, char *to);  /* SASL_CRAM_TEXT_SIZE */
/* Fill their part of KEYS; false, and that part absent, for what is no such text. */
bool sasl_keys_read_scram(struct str text, struct sasl_keys *keys);
bool sasl_keys_read_cram(struct str text, struct sasl_keys *keys);

#endif

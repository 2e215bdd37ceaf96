/*
 * crypto - digests, keyed digests, randomness and sealed secrets: the only file that knows libcrypto's primitives.
 *
 * Nothing here blocks.  The functions without a result cannot fail on a sane system; where libcrypto says that it did, the process ends,
 * like one without memory.  A seal is AES-256-GCM: whoever changes a byte of it, or opens it in another CONTEXT than it was made for, gets
 * nothing.
 */
#ifndef BASE_CRYPTO_H
#define BASE_CRYPTO_H

#include "base/buf.h"

enum { CRYPTO_SHA256 = 32, CRYPTO_MD5 = 16, CRYPTO_MD5_STATE = 32, CRYPTO_KEY = 32 };

void crypto_random(void *to, size_t size);
/* In a time that does not depend on the bytes. */
bool crypto_equal(const void *a, const void *b, size_t size);
void crypto_wipe(void *data, size_t size);
/* Wipes what B held, and frees it. */
void crypto_wipe_buf(struct buf *b);

void crypto_sha256(struct str data, unsigned char to[CRYPTO_SHA256]);
void crypto_hmac_sha256(struct str key, struct str data, unsigned char to[CRYPTO_SHA256]);
/* PBKDF2 with HMAC-SHA-256 (RFC 8018 section 5.2), one block. */
void crypto_pbkdf2_sha256(struct str password, struct str salt, unsigned iterations, unsigned char to[CRYPTO_SHA256]);

/* HMAC-MD5 in two steps (RFC 2104 section 4): what KEY leaves in the two digests, first the outer, then the inner one, four little-endian
 * words each; and the rest, which no longer needs the key. */
void crypto_md5_state(struct str key, unsigned char state[CRYPTO_MD5_STATE]);
void crypto_hmac_md5(const unsigned char state[CRYPTO_MD5_STATE], struct str data, unsigned char to[CRYPTO_MD5]);

/* Appends nonce, ciphertext and tag of PLAIN. */
void crypto_seal(const unsigned char key[CRYPTO_KEY], struct str context, struct str plain, struct buf *to);
/* Appends the plain text; false, with nothing appended, when KEY, CONTEXT or SEALED is not what it was. */
bool crypto_open(const unsigned char key[CRYPTO_KEY], struct str context, struct str sealed, struct buf *to);

#endif

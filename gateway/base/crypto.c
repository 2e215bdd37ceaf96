/* The two digests of HMAC-MD5 are kept half done, which libcrypto's interface of today cannot do. */
#define OPENSSL_API_COMPAT 0x10101000L

#include "base/crypto.h"

#include "base/log.h"

#include <limits.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/md5.h>
#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>

enum { NONCE = 12, TAG = 16, MD5_BLOCK = 64 };

static void must(bool ok, const char *what)
{
    if (ok)
        return;
    log_message(LOG_LEVEL_ERROR, "crypto-failed", "libcrypto cannot do %s", what);
    abort();
}

/* libcrypto takes lengths as int, and some of it no NULL. */
static int length_of(struct str s)
{
    must(s.length <= INT_MAX, "that much at once");
    return (int)s.length;
}

static const unsigned char *bytes_of(struct str s)
{
    return (const unsigned char *)(s.length > 0 ? s.data : "");
}

void crypto_random(void *to, size_t size)
{
    must(size <= INT_MAX && RAND_bytes(to, (int)size) == 1, "random bytes");
}

bool crypto_equal(const void *a, const void *b, size_t size)
{
    return CRYPTO_memcmp(a, b, size) == 0;
}

void crypto_wipe(void *data, size_t size)
{
    if (size > 0)
        OPENSSL_cleanse(data, size);
}

void crypto_wipe_buf(struct buf *b)
{
    if (b->data != NULL)
        crypto_wipe(b->data, b->capacity);
    buf_done(b);
}

void crypto_sha256(struct str data, unsigned char to[CRYPTO_SHA256])
{
    must(EVP_Digest(bytes_of(data), data.length, to, NULL, EVP_sha256(), NULL) == 1, "SHA-256");
}

void crypto_hmac_sha256(struct str key, struct str data, unsigned char to[CRYPTO_SHA256])
{
    must(HMAC(EVP_sha256(), bytes_of(key), length_of(key), bytes_of(data), data.length, to, NULL) != NULL, "HMAC-SHA-256");
}

void crypto_pbkdf2_sha256(struct str password, struct str salt, unsigned iterations, unsigned char to[CRYPTO_SHA256])
{
    const char *phrase = (const char *)bytes_of(password);

    must(iterations > 0 && iterations <= INT_MAX, "PBKDF2");
    must(PKCS5_PBKDF2_HMAC(phrase, length_of(password), bytes_of(salt), length_of(salt), (int)iterations, EVP_sha256(), CRYPTO_SHA256, to) == 1,
         "PBKDF2");
}

static void put_word(unsigned char *to, MD5_LONG word)
{
    for (int i = 0; i < 4; i++)
        to[i] = (unsigned char)(word >> (8 * i));
}

static MD5_LONG get_word(const unsigned char *from)
{
    return (MD5_LONG)from[0] | (MD5_LONG)from[1] << 8 | (MD5_LONG)from[2] << 16 | (MD5_LONG)from[3] << 24;
}

/* What a digest of one block, KEY xor PAD, has come to. */
static void digest_pad(const unsigned char key[MD5_BLOCK], unsigned char pad, unsigned char state[CRYPTO_MD5])
{
    unsigned char block[MD5_BLOCK];
    MD5_CTX digest;

    for (size_t i = 0; i < sizeof block; i++)
        block[i] = key[i] ^ pad;
    must(MD5_Init(&digest) == 1 && MD5_Update(&digest, block, sizeof block) == 1, "MD5");
    put_word(state, digest.A);
    put_word(state + 4, digest.B);
    put_word(state + 8, digest.C);
    put_word(state + 12, digest.D);
    crypto_wipe(block, sizeof block);
    crypto_wipe(&digest, sizeof digest);
}

static void digest_from(const unsigned char state[CRYPTO_MD5], struct str data, unsigned char to[CRYPTO_MD5])
{
    MD5_CTX digest;

    must(MD5_Init(&digest) == 1, "MD5");
    digest.A = get_word(state);
    digest.B = get_word(state + 4);
    digest.C = get_word(state + 8);
    digest.D = get_word(state + 12);
    digest.Nl = 8 * MD5_BLOCK; /* bits so far */
    must(MD5_Update(&digest, bytes_of(data), data.length) == 1 && MD5_Final(to, &digest) == 1, "MD5");
    crypto_wipe(&digest, sizeof digest);
}

void crypto_md5_state(struct str key, unsigned char state[CRYPTO_MD5_STATE])
{
    unsigned char block[MD5_BLOCK] = {0};

    if (key.length > sizeof block)
        must(MD5(bytes_of(key), key.length, block) != NULL, "MD5");
    else
        memcpy(block, bytes_of(key), key.length);
    digest_pad(block, 0x5c, state);
    digest_pad(block, 0x36, state + CRYPTO_MD5);
    crypto_wipe(block, sizeof block);
}

void crypto_hmac_md5(const unsigned char state[CRYPTO_MD5_STATE], struct str data, unsigned char to[CRYPTO_MD5])
{
    unsigned char inner[CRYPTO_MD5];

    digest_from(state + CRYPTO_MD5, data, inner);
    digest_from(state, (struct str){(const char *)inner, sizeof inner}, to);
    crypto_wipe(inner, sizeof inner);
}

void crypto_seal(const unsigned char key[CRYPTO_KEY], struct str context, struct str plain, struct buf *to)
{
    unsigned char *room = (unsigned char *)buf_room(to, NONCE + plain.length + TAG), *text;
    EVP_CIPHER_CTX *cipher;
    int done;

    if (room == NULL)
        return;
    text = room + NONCE;
    crypto_random(room, NONCE);
    cipher = EVP_CIPHER_CTX_new();
    must(cipher != NULL && EVP_EncryptInit_ex(cipher, EVP_aes_256_gcm(), NULL, key, room) == 1 &&
             EVP_EncryptUpdate(cipher, NULL, &done, bytes_of(context), length_of(context)) == 1 &&
             EVP_EncryptUpdate(cipher, text, &done, bytes_of(plain), length_of(plain)) == 1 &&
             EVP_EncryptFinal_ex(cipher, text + plain.length, &done) == 1 &&
             EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_GCM_GET_TAG, TAG, text + plain.length) == 1,
         "AES-256-GCM");
    EVP_CIPHER_CTX_free(cipher);
    buf_grew(to, NONCE + plain.length + TAG);
}

bool crypto_open(const unsigned char key[CRYPTO_KEY], struct str context, struct str sealed, struct buf *to)
{
    struct str nonce = str_part(sealed, 0, NONCE), text = str_from(sealed, NONCE);
    unsigned char *room, tag[TAG];
    EVP_CIPHER_CTX *cipher;
    bool ok;
    int done;

    if (sealed.length < NONCE + TAG || (room = (unsigned char *)buf_room(to, text.length - TAG)) == NULL)
        return false;
    text.length -= TAG;
    memcpy(tag, text.data + text.length, TAG);
    cipher = EVP_CIPHER_CTX_new();
    must(cipher != NULL && EVP_DecryptInit_ex(cipher, EVP_aes_256_gcm(), NULL, key, bytes_of(nonce)) == 1 &&
             EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_GCM_SET_TAG, TAG, tag) == 1 &&
             EVP_DecryptUpdate(cipher, NULL, &done, bytes_of(context), length_of(context)) == 1 &&
             EVP_DecryptUpdate(cipher, room, &done, bytes_of(text), length_of(text)) == 1,
         "AES-256-GCM");
    ok = EVP_DecryptFinal_ex(cipher, room + text.length, &done) == 1;
    EVP_CIPHER_CTX_free(cipher);
    if (ok)
        buf_grew(to, text.length);
    else
        crypto_wipe(room, text.length);
    return ok;
}

/*
 * scram - what both sides of SCRAM-SHA-256 share (RFC 5802, RFC 7677): its messages, read strictly, and its keys.
 *
 * The readers take a whole message, demand its attributes in the order of RFC 5802 section 7, refuse the reserved `m=`, and pass over
 * extensions.  What they hand out is borrowed from the message.  Nothing blocks but scram_derive, which takes as long as the iterations do.
 */
#ifndef SASL_SCRAM_H
#define SASL_SCRAM_H

#include "base/crypto.h"

/* A nonce of ours: 24 random bytes as base64. */
enum { SCRAM_NONCE_SIZE = 33, SCRAM_ITERATIONS_LEAST = 4096 };

#define SCRAM_BINDING_NAME "tls-exporter"

struct scram_client_first {
    struct str header;       /* up to and with its second comma (RFC 5801 section 4) */
    char flag;               /* 'n': no channel binding; 'y': could, but sees no PLUS; 'p': this one */
    struct str binding_name; /* with 'p' */
    struct str authzid, login; /* as they are written: scram_read_name; authzid may be empty */
    struct str nonce;
    struct str bare;         /* what stands behind the header */
};

struct scram_server_first {
    struct str nonce;
    struct str salt; /* base64 */
    unsigned iterations;
};

struct scram_client_final {
    struct str binding; /* base64 */
    struct str nonce;
    struct str without_proof;
    unsigned char proof[CRYPTO_SHA256];
};

struct scram_server_final {
    bool refused; /* e= */
    unsigned char signature[CRYPTO_SHA256];
};

bool scram_read_client_first(struct str message, struct scram_client_first *m);
bool scram_read_server_first(struct str message, struct scram_server_first *m);
bool scram_read_client_final(struct str message, struct scram_client_final *m);
bool scram_read_server_final(struct str message, struct scram_server_final *m);

/* saslname: comma and equals sign as =2C and =3D.  The reader appends; false, perhaps with a part appended, for any other =. */
void scram_write_name(struct str name, struct buf *to);
bool scram_read_name(struct str written, struct buf *to);

void scram_make_nonce(char to[SCRAM_NONCE_SIZE]);

struct scram_secrets {
    unsigned char client_key[CRYPTO_SHA256], stored_key[CRYPTO_SHA256], server_key[CRYPTO_SHA256];
};

/* RFC 5802 section 3.  False when PASSWORD cannot be prepared. */
bool scram_derive(struct str password, struct str salt, unsigned iterations, struct scram_secrets *to);
/* The one from the other by the client's signature, which is its own inverse: TO is FROM xor HMAC(STORED_KEY, AUTH_MESSAGE). */
void scram_proof(const unsigned char *from, const unsigned char *stored_key, struct str auth_message, unsigned char *to);
void scram_signature(const unsigned char *server_key, struct str auth_message, unsigned char *to);

#endif

/*
 * client_exchange - the state of one exchange, for the files of the client's side alone.
 *
 * `next` is the step that the next challenge goes to; a step that expects another one sets it anew, and NULL is the end.
 */
#ifndef SASL_CLIENT_EXCHANGE_H
#define SASL_CLIENT_EXCHANGE_H

#include "sasl/client.h"
#include "sasl/scram.h"

enum { CLIENT_COMPLAINT_SIZE = 512 };

struct sasl_client {
    struct sasl_login login;
    enum sasl_result (*next)(struct sasl_client *c, struct str challenge, struct buf *response);
    bool owes_proof; /* the server does */
    char complaint[CLIENT_COMPLAINT_SIZE];
    struct {
        bool plus;
        char nonce[SCRAM_NONCE_SIZE];
        struct buf header;       /* GS2 */
        struct buf auth_message; /* as far as it was said */
        unsigned char server_key[CRYPTO_SHA256];
    } scram;
};

enum sasl_result client_scram_first(struct sasl_client *c, struct str challenge, struct buf *response);

#endif

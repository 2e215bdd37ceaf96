/*
 * server_exchange - the state of one exchange, for the files of the server's side alone.
 *
 * `next` is the step that the next response goes to; a step that expects another one sets it anew, and NULL is the end.
 */
#ifndef SASL_SERVER_EXCHANGE_H
#define SASL_SERVER_EXCHANGE_H

#include "sasl/scram.h"
#include "sasl/server.h"

struct sasl_server {
    struct sasl_settings settings;
    enum sasl_result (*next)(struct sasl_server *s, struct str response, struct buf *challenge);
    char login[SASL_LOGIN_MAX + 1];
    struct sasl_keys keys;
    bool known;          /* the keys are those of a user */
    struct buf question; /* CRAM-MD5: the challenge */
    struct {
        bool plus;
        char nonce[SCRAM_NONCE_SIZE]; /* our part of it */
        struct buf full_nonce;
        struct buf binding;      /* what c= must hold: GS2 header and channel binding */
        struct buf auth_message; /* as far as it was said */
    } scram;
};

/* Says who asks; false for what is no login. */
bool server_take_login(struct sasl_server *s, struct str login);
/* Fills keys and known; false when the users could not be asked. */
bool server_take_keys(struct sasl_server *s);

enum sasl_result server_scram_first(struct sasl_server *s, struct str response, struct buf *challenge);

#endif

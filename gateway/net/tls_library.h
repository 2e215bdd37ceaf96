/*
 * tls_library - what the files net/tls*.c share, and the only header that brings OpenSSL's along.
 *
 * OpenSSL keeps a queue of errors for each thread: whoever calls it empties the queue first and takes what is in it afterwards.
 */
#ifndef NET_TLS_LIBRARY_H
#define NET_TLS_LIBRARY_H

#include "base/thread.h"
#include "net/tls.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

/* What the connections of a server or of a client have in common. */
struct tls_end {
    SSL_CTX *context;
    BIO_METHOD *socket;
};

struct tls {
    SSL *ssl;
    int fd;
    char *host;      /* of the peer, as it was configured; NULL on the server */
    char *problem;   /* NULL: none */
    size_t received; /* in the handshake */
    int error;       /* errno of the socket */
    bool ended;      /* the peer is gone */
    bool broken;     /* nothing more can be said */
    enum tls_trouble trouble;
};

bool tls_end_init(struct tls_end *e, const SSL_METHOD *method, enum tls_version least, char *error, size_t error_size);
void tls_end_done(struct tls_end *e);
struct tls *tls_end_connection(const struct tls_end *e, int fd);
/* The handshake fails before it begins: what the peer would have to prove cannot be told to the library. */
void tls_refuse(struct tls *t, enum tls_trouble trouble, const char *why);
/* The peer has to prove itself by one of the records of WANTED; must be called before its names are told to the library. */
void tls_dane_enable(struct tls *t, const struct tls_wanted *wanted);

/* Why the last call of the library failed; empties the queue. */
const char *tls_library_reason(void);

/* The keys of session tickets: one to seal with, and the one before it.  Any thread. */
enum { TICKET_NAME = 16, TICKET_SECRET = 32 };

struct tls_ticket_key {
    unsigned char name[TICKET_NAME], cipher[TICKET_SECRET], mac[TICKET_SECRET];
    int64_t made; /* clock_now */
};

struct tls_tickets {
    struct lock lock;
    struct tls_ticket_key current, previous;
    bool has_previous;
};

void tls_tickets_init(struct tls_tickets *t, int64_t now);
void tls_tickets_done(struct tls_tickets *t);
/* The key to seal with at NOW. */
void tls_tickets_current(struct tls_tickets *t, int64_t now, struct tls_ticket_key *key);
/* The key that sealed; false when it is none of ours or its time is over.  *OLD: it is no longer the current one. */
bool tls_tickets_find(struct tls_tickets *t, int64_t now, const unsigned char name[TICKET_NAME], struct tls_ticket_key *key, bool *old);
/* Gives the contexts that seal or open one ticket their key; answers as SSL_CTX_set_tlsext_ticket_key_evp_cb(3) wants it. */
int tls_tickets_serve(struct tls_tickets *t, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, int seal);

/* A certificate with its chain and its key, ready to be used; a table of them never changes. */
struct tls_credential {
    char *host;
    X509 *certificate;
    EVP_PKEY *key;
    STACK_OF(X509) *chain;
};

struct tls_credentials {
    struct tls_credential *items; /* the first is the default, the others are sorted by host */
    size_t count;
    size_t references; /* guarded by the server's lock */
};

struct tls_credentials *tls_credentials_new(const struct tls_pairs *pairs, char *error, size_t error_size);
void tls_credentials_free(struct tls_credentials **c);
/* The one for NAME: its own, that of "*." and the domain above, the default. */
const struct tls_credential *tls_credentials_find(const struct tls_credentials *c, struct str name);
bool tls_credential_use(const struct tls_credential *c, SSL *ssl);

struct tls_server {
    struct tls_end end;
    struct tls_tickets tickets;
    struct lock lock;
    struct tls_credentials *credentials; /* NULL: none yet */
};

#endif

/*
 * tls - TLS 1.2 and 1.3 for either end of a connection, by OpenSSL, which only the files net/tls*.c know.
 *
 * A struct tls_server is what all connections that we answer share: certificates, ticket keys, limits.  Its certificates can be replaced at
 * any time, by any thread; handshakes that go on keep those that they began with, and tickets stay good.  A struct tls_client is what all
 * connections that we open share.  Both are made once and never freed while a connection lives.
 *
 * A struct tls is one connection's.  It does not own its socket, which is non-blocking, and it never waits: a call that needs the socket
 * says for what.  net/stream does the waiting; nobody else calls tls_handshake, tls_read, tls_write, tls_close.  One thread at a time.
 *
 * Renegotiation, compression and early data are off.  Session tickets are sealed with keys that live in this process, change every
 * TLS_TICKET_HOURS and are still taken for as long again.
 */
#ifndef NET_TLS_H
#define NET_TLS_H

#include "net/address.h"
#include "net/dns_records.h"
#include "net/tls_files.h"

enum { TLS_TICKET_HOURS = 12, TLS_BINDING = 32, TLS_ERROR_SIZE = 512 };

enum tls_version { TLS_VERSION_1_2, TLS_VERSION_1_3 };

struct tls_server;
struct tls_client;
struct tls;

/* CLIENT_CA is a PEM file with the CAs of client certificates, which clients are then asked for and need not have; "": none are asked for.
 * NULL with the reason in ERROR. */
struct tls_server *tls_server_new(enum tls_version least, const char *client_ca, char *error, size_t error_size);
void tls_server_free(struct tls_server **s);
/* From now on these certificates; false with the reason, naming both files where a key is not that of its certificate, and those before
 * stay. */
bool tls_server_use(struct tls_server *s, const struct tls_pairs *pairs, char *error, size_t error_size);

/* CA_FILE: PEM file with the CAs to trust; "": the system's. */
struct tls_client *tls_client_new(enum tls_version least, const char *ca_file, char *error, size_t error_size);
void tls_client_free(struct tls_client **c);

/* Makes a self-signed certificate for HOST with a P-256 key, good for ten years, in new files of mode 0600 (certificate: 0644), and the
 * folders above them.  Existing files are never touched.  False with the reason in ERROR. */
bool tls_make_self_signed(const char *host, const char *cert_path, const char *key_path, char *error, size_t error_size);

/* What a server must prove. */
enum tls_proof {
    TLS_PROOF_ANY,  /* any certificate will do; tls_info says what verification would have said */
    TLS_PROOF_NAME, /* its chain is good, and one of the names is in it (RFC 9525) */
    TLS_PROOF_DANE, /* one of the TLSA records is its (RFC 7672): with usage 3 names and dates do not count, with usage 2 they do */
};

enum { TLS_NAMES_MOST = 3 };

/* The names, texts and records are borrowed until tls_connect returns. */
struct tls_wanted {
    enum tls_proof proof;
    const char *host;                   /* name or address of the server: for SNI (names only), and the first that a certificate may have */
    const char *also[TLS_NAMES_MOST - 1]; /* other names that it may have; NULL: none */
    const struct dns_tlsa *tlsa;        /* TLS_PROOF_DANE: at least one that tls_can_use */
    size_t tlsa_count;
};

/* A TLSA record that can be of use with SMTP: usage 2 or 3, selector and matching type known, data that fits (RFC 7672 section 3.1). */
bool tls_can_use(const struct dns_tlsa *tlsa);

/* One connection over FD. */
struct tls *tls_accept(struct tls_server *s, int fd);
struct tls *tls_connect(struct tls_client *c, int fd, const struct tls_wanted *wanted);
void tls_free(struct tls **t);

enum tls_step { TLS_OK, TLS_WANT_READ, TLS_WANT_WRITE, TLS_CLOSED, TLS_FAILED };

enum tls_step tls_handshake(struct tls *t);
/* TLS_OK: *DONE bytes, at least one. */
enum tls_step tls_read(struct tls *t, char *to, size_t size, size_t *done);
enum tls_step tls_write(struct tls *t, struct str data, size_t *done);
/* Says goodbye (close_notify) once, without waiting for the peer's. */
enum tls_step tls_close(struct tls *t);
/* Decrypted bytes wait inside: poll(2) on the socket would not tell. */
bool tls_pending(const struct tls *t);

/* What went wrong, printable, one line; "" while nothing did.  A certificate that was not taken: why ("certificate has expired"). */
const char *tls_problem(const struct tls *t);
/* The failure was the peer's certificate: what is wrong with it. */
enum tls_trouble { TLS_TROUBLE_NONE, TLS_TROUBLE_NAME, TLS_TROUBLE_EXPIRED, TLS_TROUBLE_TRUST, TLS_TROUBLE_TLSA, TLS_TROUBLE_OTHER };
enum tls_trouble tls_trouble(const struct tls *t);

enum tls_peer { TLS_PEER_NONE, TLS_PEER_UNVERIFIED, TLS_PEER_VERIFIED, TLS_PEER_DANE };

struct tls_info {
    char version[16];  /* "TLSv1.3" */
    char cipher[64];   /* "TLS_AES_256_GCM_SHA384" */
    enum tls_peer peer; /* the peer's certificate: none, not verified (or not for this name), verified, by DANE */
    char peer_problem[128]; /* why it is not verified; "" */
    enum tls_trouble peer_trouble; /* the same */
    bool resumed;
};

/* After the handshake. */
void tls_info(const struct tls *t, struct tls_info *info);
/* The tls-exporter channel binding (RFC 9266); false with TLS 1.2, where it does not exist. */
bool tls_binding(const struct tls *t, unsigned char to[TLS_BINDING]);

#endif

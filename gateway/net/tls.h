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

/* One connection over FD.  HOST is the next hop's name or address as it was configured: it goes into SNI (names only) and, with VERIFY,
 * must be in the server's certificate, whose chain must be good; without VERIFY any certificate will do, and tls_info says what
 * verification would have said. */
struct tls *tls_accept(struct tls_server *s, int fd);
struct tls *tls_connect(struct tls_client *c, int fd, const char *host, bool verify);
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
/* The failure was the peer's certificate. */
bool tls_distrusts(const struct tls *t);

enum tls_peer { TLS_PEER_NONE, TLS_PEER_UNVERIFIED, TLS_PEER_VERIFIED };

struct tls_info {
    char version[16];  /* "TLSv1.3" */
    char cipher[64];   /* "TLS_AES_256_GCM_SHA384" */
    enum tls_peer peer; /* the peer's certificate: none, not verified (or not for this name), verified */
    char peer_problem[128]; /* why it is not verified; "" */
    bool resumed;
};

/* After the handshake. */
void tls_info(const struct tls *t, struct tls_info *info);
/* The tls-exporter channel binding (RFC 9266); false with TLS 1.2, where it does not exist. */
bool tls_binding(const struct tls *t, unsigned char to[TLS_BINDING]);

#endif

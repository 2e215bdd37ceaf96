#include "net/tls.h"

#include "base/memory.h"
#include "net/address.h"
#include "net/tls_library.h"

#include <stdio.h>

/* Of OpenSSL: 112 bits of security where we know whom we speak to, for plain text is no alternative there, and a proof is worth what the
 * key behind it is worth; else 80. */
enum { LEVEL_PROOF = 2, LEVEL_ANY = 1, HOST_SIZE = 256 };

struct tls_client {
    struct tls_end end;
};

static bool load_trust(SSL_CTX *context, const char *ca_file, char *error, size_t error_size)
{
    bool own = ca_file[0] != '\0';

    ERR_clear_error();
    if ((own ? SSL_CTX_load_verify_file(context, ca_file) : SSL_CTX_set_default_verify_paths(context)) == 1)
        return true;
    snprintf(error, error_size, "cannot read CAs from %s: %s", own ? ca_file : "the system's files", tls_library_reason());
    return false;
}

struct tls_client *tls_client_new(enum tls_version least, const char *ca_file, char *error, size_t error_size)
{
    struct tls_client *c = memory_new(sizeof *c);

    if (!tls_end_init(&c->end, TLS_client_method(), least, error, error_size) || !load_trust(c->end.context, ca_file, error, error_size)) {
        tls_client_free(&c);
        return NULL;
    }
    SSL_CTX_dane_enable(c->end.context); /* with SHA2-256 and SHA2-512; counts where a connection has records */
    /* Nothing is resumed: connections are kept open instead. */
    SSL_CTX_set_options(c->end.context, SSL_OP_NO_TICKET);
    return c;
}

void tls_client_free(struct tls_client **c)
{
    if (*c == NULL)
        return;
    tls_end_done(&(*c)->end);
    memory_free(c);
}

/* HOST as certificates and SNI have it; a name that begins with a dot would mean any name below it. */
static bool to_name(struct str host, char name[HOST_SIZE])
{
    if (str_ends(host, STR(".")))
        host.length--;
    return host.length > 0 && !str_starts(host, STR(".")) && str_copy(host, name, HOST_SIZE);
}

static bool expect_address(SSL *ssl, struct str host)
{
    struct address a;

    return address_parse(&a, host) && X509_VERIFY_PARAM_set1_ip(SSL_get0_param(ssl), a.bytes, a.family == AF_INET ? 4 : 16) == 1;
}

/* What cannot be a name is a name that no certificate has (RFC 6761 section 6.4). */
static void expect_name(SSL *ssl, struct str host)
{
    char name[HOST_SIZE];
    bool good = to_name(host, name);

    if (good)
        SSL_set_tlsext_host_name(ssl, name);
    X509_VERIFY_PARAM_set1_host(SSL_get0_param(ssl), good ? name : "name.invalid", 0);
}

static void expect_also(SSL *ssl, const struct tls_wanted *wanted)
{
    char name[HOST_SIZE];

    for (size_t i = 0; i < sizeof wanted->also / sizeof wanted->also[0]; i++)
        if (wanted->also[i] != NULL && to_name(str_of(wanted->also[i]), name))
            X509_VERIFY_PARAM_add1_host(SSL_get0_param(ssl), name, 0);
}

/* Whom the certificate must be for. */
static void expect(SSL *ssl, const struct tls_wanted *wanted)
{
    struct str host = str_of(wanted->host);

    /* Names in the subject do not count (RFC 9525 section 2). */
    X509_VERIFY_PARAM_set_hostflags(SSL_get0_param(ssl), X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
    if (expect_address(ssl, host))
        return; /* with names beside it both would have to be in the certificate */
    expect_name(ssl, host);
    expect_also(ssl, wanted);
}

struct tls *tls_connect(struct tls_client *c, int fd, const struct tls_wanted *wanted)
{
    struct tls *t = tls_end_connection(&c->end, fd);
    bool proof = wanted->proof != TLS_PROOF_ANY;

    t->host = memory_string(wanted->host);
    SSL_set_connect_state(t->ssl);
    SSL_set_verify(t->ssl, proof ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, NULL);
    SSL_set_security_level(t->ssl, proof ? LEVEL_PROOF : LEVEL_ANY);
    if (wanted->proof == TLS_PROOF_DANE)
        tls_dane_enable(t, wanted);
    expect(t->ssl, wanted);
    return t;
}

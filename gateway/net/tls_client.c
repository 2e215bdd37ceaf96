#include "net/tls.h"

#include "base/memory.h"
#include "net/address.h"
#include "net/tls_library.h"

#include <stdio.h>

/* Of OpenSSL: 112 bits of security where we know whom we speak to; else 80, because the alternative is plain text. */
enum { LEVEL_VERIFY = 2, LEVEL_ANY = 1, HOST_SIZE = 256 };

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

/* A name that begins with a dot would mean any name below it. */
static bool expect_name(SSL *ssl, struct str host)
{
    char name[HOST_SIZE];

    if (str_ends(host, STR(".")))
        host.length--;
    if (host.length == 0 || str_starts(host, STR(".")) || !str_copy(host, name, sizeof name))
        return false;
    SSL_set_tlsext_host_name(ssl, name);
    return X509_VERIFY_PARAM_set1_host(SSL_get0_param(ssl), name, 0) == 1;
}

static bool expect_address(SSL *ssl, const struct address *a)
{
    return X509_VERIFY_PARAM_set1_ip(SSL_get0_param(ssl), a->bytes, a->family == AF_INET ? 4 : 16) == 1;
}

/* Whom the certificate must be for.  What cannot be a name is a name that no certificate has (RFC 6761 section 6.4). */
static void expect(SSL *ssl, struct str host)
{
    struct address a;

    /* Names in the subject do not count (RFC 9525 section 2). */
    X509_VERIFY_PARAM_set_hostflags(SSL_get0_param(ssl), X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
    if (address_parse(&a, host) ? expect_address(ssl, &a) : expect_name(ssl, host))
        return;
    X509_VERIFY_PARAM_set1_host(SSL_get0_param(ssl), "name.invalid", 0);
}

struct tls *tls_connect(struct tls_client *c, int fd, const char *host, bool verify)
{
    struct tls *t = tls_end_connection(&c->end, fd);

    t->host = memory_string(host);
    SSL_set_connect_state(t->ssl);
    SSL_set_verify(t->ssl, verify ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, NULL);
    SSL_set_security_level(t->ssl, verify ? LEVEL_VERIFY : LEVEL_ANY);
    expect(t->ssl, str_of(host));
    return t;
}

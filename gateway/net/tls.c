#include "net/tls.h"

#include "base/memory.h"
#include "net/tls_library.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* A peer that never comes to the end of a handshake, but is never silent either, is not waited for. */
enum { HANDSHAKE_MOST = 512 << 10 };

static const char binding_label[] = "EXPORTER-Channel-Binding";

const char *tls_library_reason(void)
{
    unsigned long error = ERR_peek_error();
    const char *reason = ERR_SYSTEM_ERROR(error) ? strerrordesc_np(ERR_GET_REASON(error)) : ERR_reason_error_string(error);

    ERR_clear_error();
    return reason != NULL ? reason : "unknown error";
}

static int socket_result(BIO *bio, ssize_t n, int wanted)
{
    struct tls *t = BIO_get_data(bio);

    BIO_clear_retry_flags(bio);
    if (n > 0)
        return (int)n;
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        BIO_set_flags(bio, wanted | BIO_FLAGS_SHOULD_RETRY);
    else if (n == 0 || errno == ECONNRESET || errno == EPIPE)
        t->ended = true;
    else
        t->error = errno;
    return (int)n;
}

static int socket_read(BIO *bio, char *to, int size)
{
    struct tls *t = BIO_get_data(bio);
    ssize_t n;

    if (!SSL_is_init_finished(t->ssl) && t->received > HANDSHAKE_MOST) {
        t->error = EMSGSIZE;
        return -1;
    }
    n = recv(t->fd, to, (size_t)size, 0);
    if (n > 0)
        t->received += (size_t)n;
    return socket_result(bio, n, BIO_FLAGS_READ);
}

/* The library's own would write(2), which raises SIGPIPE. */
static int socket_write(BIO *bio, const char *data, int length)
{
    struct tls *t = BIO_get_data(bio);

    return socket_result(bio, send(t->fd, data, (size_t)length, MSG_NOSIGNAL), BIO_FLAGS_WRITE);
}

static long socket_control(BIO *bio, int command, long number, void *pointer)
{
    (void)bio;
    (void)number;
    (void)pointer;
    return command == BIO_CTRL_FLUSH || command == BIO_CTRL_DUP ? 1 : 0;
}

static BIO_METHOD *socket_method(void)
{
    BIO_METHOD *m = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "tmail socket");

    if (m == NULL)
        return NULL;
    BIO_meth_set_read(m, socket_read);
    BIO_meth_set_write(m, socket_write);
    BIO_meth_set_ctrl(m, socket_control);
    return m;
}

bool tls_end_init(struct tls_end *e, const SSL_METHOD *method, enum tls_version least, char *error, size_t error_size)
{
    ERR_clear_error();
    e->socket = socket_method();
    e->context = SSL_CTX_new(method);
    if (e->socket == NULL || e->context == NULL) {
        snprintf(error, error_size, "cannot start OpenSSL: %s", tls_library_reason());
        return false;
    }
    SSL_CTX_set_min_proto_version(e->context, least == TLS_VERSION_1_3 ? TLS1_3_VERSION : TLS1_2_VERSION);
    SSL_CTX_set_max_proto_version(e->context, 0);
    SSL_CTX_set_options(e->context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
    SSL_CTX_set_mode(e->context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
    /* With it a peer that sends records without content could keep a read busy for ever, whatever the deadline. */
    SSL_CTX_clear_mode(e->context, SSL_MODE_AUTO_RETRY);
    SSL_CTX_set_session_cache_mode(e->context, SSL_SESS_CACHE_OFF);
    return true;
}

void tls_end_done(struct tls_end *e)
{
    SSL_CTX_free(e->context);
    BIO_meth_free(e->socket);
    *e = (struct tls_end){NULL, NULL};
}

struct tls *tls_end_connection(const struct tls_end *e, int fd)
{
    struct tls *t = memory_new(sizeof *t);
    BIO *bio = BIO_new(e->socket);

    t->fd = fd;
    t->ssl = SSL_new(e->context);
    if (t->ssl == NULL || bio == NULL)
        abort(); /* no memory: see base/memory.h */
    BIO_set_data(bio, t);
    BIO_set_init(bio, 1);
    SSL_set_bio(t->ssl, bio, bio);
    return t;
}

void tls_free(struct tls **t)
{
    if (*t == NULL)
        return;
    SSL_free((*t)->ssl);
    memory_free(&(*t)->host);
    memory_free(&(*t)->problem);
    memory_free(t);
}

__attribute__((format(printf, 2, 3))) static void complain(struct tls *t, const char *format, ...)
{
    char text[TLS_ERROR_SIZE];
    va_list args;

    if (t->problem != NULL)
        return;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    for (char *c = text; *c != '\0'; c++)
        if ((unsigned char)*c < ' ' || (unsigned char)*c > '~')
            *c = '?';
    t->problem = memory_string(text);
}

/* What is wrong with a certificate; what is not here is TLS_TROUBLE_OTHER. */
static enum tls_trouble trouble_of(long result)
{
    static const struct {
        long result;
        enum tls_trouble trouble;
    } table[] = {
        {X509_V_OK, TLS_TROUBLE_NONE},
        {X509_V_ERR_HOSTNAME_MISMATCH, TLS_TROUBLE_NAME},
        {X509_V_ERR_IP_ADDRESS_MISMATCH, TLS_TROUBLE_NAME},
        {X509_V_ERR_CERT_HAS_EXPIRED, TLS_TROUBLE_EXPIRED},
        {X509_V_ERR_CERT_NOT_YET_VALID, TLS_TROUBLE_EXPIRED},
        {X509_V_ERR_DANE_NO_MATCH, TLS_TROUBLE_TLSA},
        {X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT, TLS_TROUBLE_TRUST},
        {X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN, TLS_TROUBLE_TRUST},
        {X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT, TLS_TROUBLE_TRUST},
        {X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY, TLS_TROUBLE_TRUST},
        {X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE, TLS_TROUBLE_TRUST},
        {X509_V_ERR_CERT_SIGNATURE_FAILURE, TLS_TROUBLE_TRUST},
        {X509_V_ERR_CERT_CHAIN_TOO_LONG, TLS_TROUBLE_TRUST},
        {X509_V_ERR_PATH_LENGTH_EXCEEDED, TLS_TROUBLE_TRUST},
        {X509_V_ERR_INVALID_CA, TLS_TROUBLE_TRUST},
        {X509_V_ERR_INVALID_PURPOSE, TLS_TROUBLE_TRUST},
        {X509_V_ERR_CERT_REVOKED, TLS_TROUBLE_TRUST},
        {X509_V_ERR_CERT_UNTRUSTED, TLS_TROUBLE_TRUST},
        {X509_V_ERR_CERT_REJECTED, TLS_TROUBLE_TRUST},
    };

    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
        if (table[i].result == result)
            return table[i].trouble;
    return TLS_TROUBLE_OTHER;
}

/* What is wrong, also in words. */
static enum tls_trouble explain_certificate(const struct tls *t, char *to, size_t size)
{
    long result = SSL_get_verify_result(t->ssl);
    enum tls_trouble trouble = trouble_of(result);

    if (trouble == TLS_TROUBLE_NONE)
        to[0] = '\0';
    else if (trouble == TLS_TROUBLE_NAME)
        snprintf(to, size, "certificate is not for %s", t->host != NULL ? t->host : "this name");
    else if (trouble == TLS_TROUBLE_TLSA)
        snprintf(to, size, "no TLSA record matches the certificate");
    else
        snprintf(to, size, "%s%s", trouble == TLS_TROUBLE_EXPIRED ? "" : "certificate not trusted: ",
                 X509_verify_cert_error_string(result));
    return trouble;
}

static void explain_failure(struct tls *t)
{
    unsigned long error = ERR_peek_error();
    int reason = ERR_GET_LIB(error) == ERR_LIB_SSL ? ERR_GET_REASON(error) : 0;
    char certificate[TLS_ERROR_SIZE];

    if (reason == SSL_R_CERTIFICATE_VERIFY_FAILED) {
        t->trouble = explain_certificate(t, certificate, sizeof certificate);
        complain(t, "%s", certificate);
    } else if (reason >= SSL_AD_REASON_OFFSET) {
        complain(t, "the peer refused: %s", SSL_alert_desc_string_long(reason - SSL_AD_REASON_OFFSET));
    } else if (reason == SSL_R_WRONG_VERSION_NUMBER || reason == SSL_R_HTTP_REQUEST) {
        complain(t, "the peer does not speak TLS");
    } else {
        complain(t, "%s", tls_library_reason());
    }
    ERR_clear_error();
}

static enum tls_step give_up(struct tls *t)
{
    t->broken = true;
    if (t->ended)
        return TLS_CLOSED;
    if (t->error != 0)
        complain(t, "%s", strerrordesc_np(t->error));
    explain_failure(t);
    return TLS_FAILED;
}

static enum tls_step step_of(struct tls *t, int result)
{
    switch (SSL_get_error(t->ssl, result)) {
    case SSL_ERROR_NONE:
        return TLS_OK;
    case SSL_ERROR_WANT_READ:
        return TLS_WANT_READ;
    case SSL_ERROR_WANT_WRITE:
        return TLS_WANT_WRITE;
    case SSL_ERROR_ZERO_RETURN:
        return TLS_CLOSED;
    default:
        return give_up(t);
    }
}

static enum tls_step already_broken(const struct tls *t)
{
    return t->ended ? TLS_CLOSED : TLS_FAILED;
}

void tls_refuse(struct tls *t, enum tls_trouble trouble, const char *why)
{
    complain(t, "%s", why);
    t->trouble = trouble;
    t->broken = true;
}

enum tls_step tls_handshake(struct tls *t)
{
    if (t->broken)
        return already_broken(t);
    ERR_clear_error();
    return step_of(t, SSL_do_handshake(t->ssl));
}

enum tls_step tls_read(struct tls *t, char *to, size_t size, size_t *done)
{
    if (t->broken)
        return already_broken(t);
    ERR_clear_error();
    return step_of(t, SSL_read_ex(t->ssl, to, size, done));
}

enum tls_step tls_write(struct tls *t, struct str data, size_t *done)
{
    *done = 0;
    if (t->broken)
        return already_broken(t);
    if (data.length == 0)
        return TLS_OK;
    ERR_clear_error();
    return step_of(t, SSL_write_ex(t->ssl, data.data, data.length, done));
}

enum tls_step tls_close(struct tls *t)
{
    int result;

    if (t->broken || t->ended || !SSL_is_init_finished(t->ssl) || (SSL_get_shutdown(t->ssl) & SSL_SENT_SHUTDOWN) != 0)
        return TLS_OK;
    ERR_clear_error();
    result = SSL_shutdown(t->ssl);
    return result >= 0 ? TLS_OK : step_of(t, result);
}

bool tls_pending(const struct tls *t)
{
    return SSL_pending(t->ssl) > 0;
}

const char *tls_problem(const struct tls *t)
{
    return t->problem != NULL ? t->problem : "";
}

enum tls_trouble tls_trouble(const struct tls *t)
{
    return t->trouble;
}

static enum tls_peer peer_of(const struct tls *t)
{
    if (SSL_get0_peer_certificate(t->ssl) == NULL)
        return TLS_PEER_NONE;
    if (SSL_get_verify_result(t->ssl) != X509_V_OK)
        return TLS_PEER_UNVERIFIED;
    return SSL_get0_dane_authority(t->ssl, NULL, NULL) >= 0 ? TLS_PEER_DANE : TLS_PEER_VERIFIED;
}

void tls_info(const struct tls *t, struct tls_info *info)
{
    *info = (struct tls_info){.resumed = SSL_session_reused(t->ssl) == 1};
    snprintf(info->version, sizeof info->version, "%s", SSL_get_version(t->ssl));
    snprintf(info->cipher, sizeof info->cipher, "%s", SSL_get_cipher_name(t->ssl));
    info->peer = peer_of(t);
    if (info->peer != TLS_PEER_NONE)
        info->peer_trouble = explain_certificate(t, info->peer_problem, sizeof info->peer_problem);
}

bool tls_binding(const struct tls *t, unsigned char to[TLS_BINDING])
{
    if (!SSL_is_init_finished(t->ssl) || SSL_version(t->ssl) != TLS1_3_VERSION)
        return false;
    return SSL_export_keying_material(t->ssl, to, TLS_BINDING, binding_label, sizeof binding_label - 1, NULL, 0, 0) == 1;
}

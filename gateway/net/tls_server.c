#include "net/tls.h"

#include "base/clock.h"
#include "base/memory.h"
#include "net/tls_library.h"

#include <stdio.h>
#include <string.h>

/* TLS 1.2: forward secrecy and authenticated encryption only.  TLS 1.3 knows nothing else. */
static const char ciphers[] = "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:"
                              "ECDHE-RSA-CHACHA20-POLY1305:ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256";
static const char groups[] = "X25519:P-256:P-384";
static const unsigned char session_context[] = "tmail";

static struct tls_credentials *take_credentials(struct tls_server *s)
{
    struct tls_credentials *c;

    lock_take(&s->lock);
    c = s->credentials;
    if (c != NULL)
        c->references++;
    lock_release(&s->lock);
    return c;
}

static void release_credentials(struct tls_server *s, struct tls_credentials *c)
{
    bool last;

    if (c == NULL)
        return;
    lock_take(&s->lock);
    last = --c->references == 0;
    lock_release(&s->lock);
    if (last)
        tls_credentials_free(&c);
}

static int choose_certificate(SSL *ssl, void *server)
{
    struct tls_credentials *c = take_credentials(server);
    const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    bool good = c != NULL && tls_credential_use(tls_credentials_find(c, str_of(name)), ssl);

    release_credentials(server, c);
    return good ? 1 : 0;
}

static int serve_ticket(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, int seal)
{
    struct tls_server *s = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));

    return tls_tickets_serve(&s->tickets, name, iv, cipher, mac, seal);
}

/* A client's certificate is looked at and never a reason to send it away: the policy reads what tls_info says. */
static int verify_client(X509_STORE_CTX *store, void *nothing)
{
    (void)nothing;
    X509_verify_cert(store);
    ERR_clear_error();
    return 1;
}

static bool ask_clients(struct tls_server *s, const char *client_ca, char *error, size_t error_size)
{
    STACK_OF(X509_NAME) *names;

    if (client_ca[0] == '\0')
        return true;
    ERR_clear_error();
    names = SSL_load_client_CA_file(client_ca);
    if (names == NULL || SSL_CTX_load_verify_file(s->end.context, client_ca) != 1) {
        snprintf(error, error_size, "cannot read the CAs of clients from %s: %s", client_ca, tls_library_reason());
        sk_X509_NAME_pop_free(names, X509_NAME_free);
        return false;
    }
    SSL_CTX_set_client_CA_list(s->end.context, names);
    SSL_CTX_set_verify(s->end.context, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_cert_verify_callback(s->end.context, verify_client, NULL);
    return true;
}

static bool set_up(struct tls_server *s, char *error, size_t error_size)
{
    SSL_CTX *c = s->end.context;

    SSL_CTX_set_app_data(c, s);
    SSL_CTX_set_options(c, SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
    /* The chain is what stands in the file, not what can be built from the CAs of clients. */
    SSL_CTX_set_mode(c, SSL_MODE_NO_AUTO_CHAIN);
    SSL_CTX_set_cert_cb(c, choose_certificate, s);
    SSL_CTX_set_tlsext_ticket_key_evp_cb(c, serve_ticket);
    SSL_CTX_set_timeout(c, (long)TLS_TICKET_HOURS * 3600);
    if (SSL_CTX_set_cipher_list(c, ciphers) == 1 && SSL_CTX_set1_groups_list(c, groups) == 1 && SSL_CTX_set_num_tickets(c, 1) == 1 &&
        SSL_CTX_set_session_id_context(c, session_context, sizeof session_context - 1) == 1)
        return true;
    snprintf(error, error_size, "cannot set up OpenSSL: %s", tls_library_reason());
    return false;
}

struct tls_server *tls_server_new(enum tls_version least, const char *client_ca, char *error, size_t error_size)
{
    struct tls_server *s = memory_new(sizeof *s);

    lock_init(&s->lock);
    tls_tickets_init(&s->tickets, clock_now());
    if (!tls_end_init(&s->end, TLS_server_method(), least, error, error_size) || !set_up(s, error, error_size) ||
        !ask_clients(s, client_ca, error, error_size))
        tls_server_free(&s);
    return s;
}

void tls_server_free(struct tls_server **s)
{
    if (*s == NULL)
        return;
    tls_end_done(&(*s)->end);
    release_credentials(*s, (*s)->credentials);
    tls_tickets_done(&(*s)->tickets);
    lock_done(&(*s)->lock);
    memory_free(s);
}

/* What a handshake would find out: that a key is too short, say. */
static bool try_out(struct tls_server *s, const struct tls_pairs *pairs, const struct tls_credentials *c, char *error, size_t error_size)
{
    for (size_t i = 0; i < pairs->count; i++) {
        const struct tls_pair *pair = &pairs->items[i];
        SSL *ssl = SSL_new(s->end.context);
        bool good = ssl != NULL && tls_credential_use(tls_credentials_find(c, str_of(pair->host)), ssl);

        SSL_free(ssl);
        if (!good) {
            snprintf(error, error_size, "%s: it cannot be used: %s", pair->cert_path, tls_library_reason());
            return false;
        }
    }
    return true;
}

bool tls_server_use(struct tls_server *s, const struct tls_pairs *pairs, char *error, size_t error_size)
{
    struct tls_credentials *made = tls_credentials_new(pairs, error, error_size), *before;

    if (made == NULL)
        return false;
    ERR_clear_error();
    if (!try_out(s, pairs, made, error, error_size)) {
        tls_credentials_free(&made);
        return false;
    }
    lock_take(&s->lock);
    before = s->credentials;
    s->credentials = made;
    lock_release(&s->lock);
    release_credentials(s, before);
    return true;
}

struct tls *tls_accept(struct tls_server *s, int fd)
{
    struct tls *t = tls_end_connection(&s->end, fd);

    SSL_set_accept_state(t->ssl);
    return t;
}

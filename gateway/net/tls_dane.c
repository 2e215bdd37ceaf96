/* Servers that prove themselves by TLSA records (RFC 6698, RFC 7671), as mail uses them (RFC 7672). */
#include "net/tls_library.h"

enum { USAGE_TA = 2, USAGE_EE = 3 };
enum { SELECTOR_CERTIFICATE, SELECTOR_KEY };
enum { MATCHING_FULL, MATCHING_SHA256, MATCHING_SHA512 };

static bool is_certificate(struct str data)
{
    const unsigned char *at = (const unsigned char *)data.data;
    X509 *x = d2i_X509(NULL, &at, (long)data.length);
    bool good = x != NULL && at == (const unsigned char *)data.data + data.length && X509_get0_pubkey(x) != NULL;

    X509_free(x);
    return good;
}

static bool is_key(struct str data)
{
    const unsigned char *at = (const unsigned char *)data.data;
    EVP_PKEY *key = d2i_PUBKEY(NULL, &at, (long)data.length);
    bool good = key != NULL && at == (const unsigned char *)data.data + data.length;

    EVP_PKEY_free(key);
    return good;
}

static bool fits(const struct dns_tlsa *tlsa)
{
    switch (tlsa->matching) {
    case MATCHING_FULL:
        return tlsa->selector == SELECTOR_CERTIFICATE ? is_certificate(tlsa->data) : is_key(tlsa->data);
    case MATCHING_SHA256:
        return tlsa->data.length == 32;
    case MATCHING_SHA512:
        return tlsa->data.length == 64;
    default:
        return false;
    }
}

bool tls_can_use(const struct dns_tlsa *tlsa)
{
    bool good = (tlsa->usage == USAGE_TA || tlsa->usage == USAGE_EE) && tlsa->selector <= SELECTOR_KEY && fits(tlsa);

    ERR_clear_error();
    return good;
}

static bool add(SSL *ssl, const struct dns_tlsa *tlsa)
{
    const unsigned char *data = (const unsigned char *)tlsa->data.data;

    return tls_can_use(tlsa) && SSL_dane_tlsa_add(ssl, tlsa->usage, tlsa->selector, tlsa->matching, data, tlsa->data.length) == 1;
}

void tls_dane_enable(struct tls *t, const struct tls_wanted *wanted)
{
    bool enabled = SSL_dane_enable(t->ssl, wanted->host) == 1;
    size_t taken = 0;

    SSL_dane_set_flags(t->ssl, DANE_FLAG_NO_DANE_EE_NAMECHECKS);
    for (size_t i = 0; enabled && i < wanted->tlsa_count; i++)
        taken += add(t->ssl, &wanted->tlsa[i]);
    /* Without a record the library would be content with a CA. */
    if (taken == 0)
        tls_refuse(t, TLS_TROUBLE_TLSA, "no TLSA record can be used");
    ERR_clear_error();
}

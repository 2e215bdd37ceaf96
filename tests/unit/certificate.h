/*
 * certificate - authorities and certificates for tests, with dates, names and issuers as a test wants them; all keys are P-256.
 */
#ifndef CERTIFICATE_H
#define CERTIFICATE_H

#include "place.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

struct authority {
    X509 *certificate;
    EVP_PKEY *key;
};

/* What a certificate says; zeros: a good one for servers without names. */
struct wish {
    const char *subject; /* common name */
    const char *names;   /* "DNS:a.example,IP:192.0.2.1" */
    bool is_authority;
    const char *usage; /* NULL: serverAuth,clientAuth */
    int from, until;   /* days from now; both 0: -1 to 10 */
};

static inline void certificate_must(bool good)
{
    if (good)
        return;
    ERR_print_errors_fp(stderr);
    exit(1);
}

static inline void certificate_extend(X509 *x, int nid, const char *value)
{
    X509V3_CTX context;
    X509_EXTENSION *extension;

    X509V3_set_ctx_nodb(&context);
    extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
    certificate_must(extension != NULL && X509_add_ext(x, extension, -1) == 1);
    X509_EXTENSION_free(extension);
}

/* ISSUER NULL: it signs itself. */
static inline struct authority certificate_make(const struct wish *w, const struct authority *issuer)
{
    static long serial = 1;
    struct authority made = {X509_new(), EVP_EC_gen("P-256")};
    X509 *x = made.certificate;
    bool dated = w->from != 0 || w->until != 0;

    X509_set_version(x, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(x), serial++);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_UTF8, (const unsigned char *)w->subject, -1, -1, 0);
    X509_set_issuer_name(x, X509_get_subject_name(issuer != NULL ? issuer->certificate : x));
    X509_time_adj_ex(X509_getm_notBefore(x), dated ? w->from : -1, 0, NULL);
    X509_time_adj_ex(X509_getm_notAfter(x), dated ? w->until : 10, 0, NULL);
    certificate_must(X509_set_pubkey(x, made.key) == 1);
    certificate_extend(x, NID_basic_constraints, w->is_authority ? "critical,CA:TRUE" : "critical,CA:FALSE");
    if (!w->is_authority)
        certificate_extend(x, NID_ext_key_usage, w->usage != NULL ? w->usage : "serverAuth,clientAuth");
    if (w->names != NULL)
        certificate_extend(x, NID_subject_alt_name, w->names);
    certificate_must(X509_sign(x, issuer != NULL ? issuer->key : made.key, EVP_sha256()) > 0);
    return made;
}

static inline void certificate_done(struct authority *a)
{
    X509_free(a->certificate);
    EVP_PKEY_free(a->key);
}

/* Into NAME.crt and NAME.key of P; the certificate is followed by that of CHAIN, unless it is NULL. */
static inline void certificate_write(const struct place *p, const char *name, const struct authority *a, const struct authority *chain)
{
    char path[300];
    FILE *file;

    snprintf(path, sizeof path, "%s/%s.crt", p->folder, name);
    file = fopen(path, "w");
    certificate_must(file != NULL && PEM_write_X509(file, a->certificate) == 1);
    certificate_must(chain == NULL || PEM_write_X509(file, chain->certificate) == 1);
    fclose(file);
    snprintf(path, sizeof path, "%s/%s.key", p->folder, name);
    file = fopen(path, "w");
    certificate_must(file != NULL && PEM_write_PrivateKey(file, a->key, NULL, NULL, 0, NULL, NULL) == 1);
    fclose(file);
}

#endif

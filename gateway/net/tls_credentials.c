#include "net/tls_library.h"

#include "base/log.h"
#include "base/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NAME_SIZE = 256 };

/* Asking at the terminal for a pass phrase is what the library would do otherwise. */
static int refuse_password(char *to, int size, int writing, void *asked)
{
    (void)to;
    (void)size;
    (void)writing;
    *(bool *)asked = true;
    return -1;
}

static BIO *open_bytes(struct str s)
{
    BIO *bio = s.length > 0 ? BIO_new_mem_buf(s.data, (int)s.length) : BIO_new(BIO_s_mem());

    if (bio == NULL)
        abort();
    return bio;
}

static bool ran_out(void)
{
    unsigned long error = ERR_peek_last_error();

    return ERR_GET_LIB(error) == ERR_LIB_PEM && ERR_GET_REASON(error) == PEM_R_NO_START_LINE;
}

static bool read_certificates(struct tls_credential *c, const struct tls_pair *pair, char *error, size_t error_size)
{
    BIO *bio = open_bytes(pair->cert);
    bool asked = false, good;
    X509 *next;

    ERR_clear_error();
    c->chain = sk_X509_new_null();
    c->certificate = PEM_read_bio_X509(bio, NULL, refuse_password, &asked);
    while (c->certificate != NULL && (next = PEM_read_bio_X509(bio, NULL, refuse_password, &asked)) != NULL)
        if (sk_X509_push(c->chain, next) <= 0)
            abort();
    good = c->certificate != NULL && ran_out();
    if (!good && ran_out())
        snprintf(error, error_size, "%s: there is no certificate in it", pair->cert_path);
    else if (!good)
        snprintf(error, error_size, "%s: it cannot be understood: %s", pair->cert_path, tls_library_reason());
    ERR_clear_error();
    BIO_free(bio);
    return good;
}

static bool read_key(struct tls_credential *c, const struct tls_pair *pair, char *error, size_t error_size)
{
    BIO *bio = open_bytes(pair->key);
    bool asked = false;

    ERR_clear_error();
    c->key = PEM_read_bio_PrivateKey(bio, NULL, refuse_password, &asked);
    BIO_free(bio);
    ERR_clear_error();
    if (c->key == NULL)
        snprintf(error, error_size, asked ? "%s: the key is locked with a pass phrase" : "%s: there is no key in it that can be understood",
                 pair->key_path);
    return c->key != NULL;
}

static bool check_pair(const struct tls_credential *c, const struct tls_pair *pair, char *error, size_t error_size)
{
    bool good = X509_check_private_key(c->certificate, c->key) == 1;

    ERR_clear_error();
    if (!good)
        snprintf(error, error_size, "%s and %s do not belong together", pair->cert_path, pair->key_path);
    return good;
}

static void warn_of_dates(const struct tls_credential *c, const struct tls_pair *pair)
{
    if (X509_cmp_current_time(X509_get0_notAfter(c->certificate)) < 0)
        log_message(LOG_LEVEL_WARNING, "certificate-expired", "the certificate in %s has expired", pair->cert_path);
    if (X509_cmp_current_time(X509_get0_notBefore(c->certificate)) > 0)
        log_message(LOG_LEVEL_WARNING, "certificate-not-yet-valid", "the certificate in %s is not valid yet", pair->cert_path);
}

static bool read_pair(struct tls_credential *c, const struct tls_pair *pair, char *error, size_t error_size)
{
    c->host = memory_string(pair->host);
    if (!read_certificates(c, pair, error, error_size) || !read_key(c, pair, error, error_size) || !check_pair(c, pair, error, error_size))
        return false;
    warn_of_dates(c, pair);
    return true;
}

static int compare(const void *a, const void *b)
{
    return strcmp(((const struct tls_credential *)a)->host, ((const struct tls_credential *)b)->host);
}

struct tls_credentials *tls_credentials_new(const struct tls_pairs *pairs, char *error, size_t error_size)
{
    struct tls_credentials *c = memory_new(sizeof *c);

    c->references = 1;
    c->items = memory_new(pairs->count * sizeof *c->items + 1);
    for (; c->count < pairs->count; c->count++)
        if (!read_pair(&c->items[c->count], &pairs->items[c->count], error, error_size)) {
            c->count++;
            tls_credentials_free(&c);
            return NULL;
        }
    if (c->count > 1)
        qsort(c->items + 1, c->count - 1, sizeof *c->items, compare);
    return c;
}

void tls_credentials_free(struct tls_credentials **c)
{
    if (*c == NULL)
        return;
    for (size_t i = 0; i < (*c)->count; i++) {
        memory_free(&(*c)->items[i].host);
        X509_free((*c)->items[i].certificate);
        EVP_PKEY_free((*c)->items[i].key);
        sk_X509_pop_free((*c)->items[i].chain, X509_free);
    }
    memory_free(&(*c)->items);
    memory_free(c);
}

static const struct tls_credential *look_up(const struct tls_credentials *c, char *host)
{
    const struct tls_credential key = {.host = host};

    return c->count > 1 ? bsearch(&key, c->items + 1, c->count - 1, sizeof *c->items, compare) : NULL;
}

const struct tls_credential *tls_credentials_find(const struct tls_credentials *c, struct str name)
{
    char host[NAME_SIZE];
    const struct tls_credential *found;
    size_t dot;

    if (str_ends(name, STR(".")))
        name.length--;
    if (!str_copy(name, host, sizeof host))
        return c->items;
    for (char *p = host; *p != '\0'; p++)
        *p = ascii_lower(*p);
    found = look_up(c, host);
    dot = str_find(str_of(host), '.', 0);
    if (found == NULL && dot > 0 && host[dot] == '.') {
        host[dot - 1] = '*';
        found = look_up(c, host + dot - 1);
    }
    return found != NULL ? found : c->items;
}

bool tls_credential_use(const struct tls_credential *c, SSL *ssl)
{
    return SSL_use_cert_and_key(ssl, c->certificate, c->key, c->chain, 1) == 1;
}

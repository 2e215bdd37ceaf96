#include "net/tls.h"

#include "base/buf.h"
#include "base/file.h"
#include "net/address.h"
#include "net/tls_library.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { DAY = 24 * 3600, DAYS = 3650, SERIAL_BITS = 159, COMMON_NAME_MAX = 64 };

static bool add_extension(X509 *x, int nid, const char *value)
{
    X509V3_CTX context;
    X509_EXTENSION *extension;
    bool good;

    X509V3_set_ctx(&context, x, x, NULL, NULL, 0);
    extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
    good = extension != NULL && X509_add_ext(x, extension, -1) == 1;
    X509_EXTENSION_free(extension);
    return good;
}

static GENERAL_NAME *make_name(const char *host)
{
    GENERAL_NAME *name = GENERAL_NAME_new();
    struct address a;
    bool is_address = address_parse(&a, str_of(host));
    ASN1_STRING *value = is_address ? (ASN1_STRING *)ASN1_OCTET_STRING_new() : (ASN1_STRING *)ASN1_IA5STRING_new();
    const void *data = is_address ? (const void *)a.bytes : (const void *)host;
    size_t length = is_address ? (a.family == AF_INET ? 4 : 16) : strlen(host);

    if (name == NULL || value == NULL || ASN1_STRING_set(value, data, (int)length) != 1) {
        GENERAL_NAME_free(name);
        ASN1_STRING_free(value);
        return NULL;
    }
    GENERAL_NAME_set0_value(name, is_address ? GEN_IPADD : GEN_DNS, value);
    return name;
}

/* By hand: in the library's text form a comma in HOST would begin another name. */
static bool add_names(X509 *x, const char *host)
{
    GENERAL_NAMES *names = GENERAL_NAMES_new();
    GENERAL_NAME *name = make_name(host);
    bool good = names != NULL && name != NULL && sk_GENERAL_NAME_push(names, name) > 0;

    if (!good)
        GENERAL_NAME_free(name);
    good = good && X509_add1_ext_i2d(x, NID_subject_alt_name, names, 0, X509V3_ADD_DEFAULT) == 1;
    GENERAL_NAMES_free(names);
    return good;
}

static bool set_serial(X509 *x)
{
    BIGNUM *number = BN_new();
    bool good = number != NULL && BN_rand(number, SERIAL_BITS, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ANY) == 1 &&
                BN_to_ASN1_INTEGER(number, X509_get_serialNumber(x)) != NULL;

    BN_free(number);
    return good;
}

static bool set_subject(X509 *x, const char *host)
{
    X509_NAME *name = X509_get_subject_name(x);
    size_t length = strlen(host);
    int used = length > COMMON_NAME_MAX ? COMMON_NAME_MAX : (int)length;

    return X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const unsigned char *)host, used, -1, 0) == 1 &&
           X509_set_issuer_name(x, name) == 1;
}

/* Clocks differ: it began yesterday. */
static bool set_dates(X509 *x)
{
    return X509_gmtime_adj(X509_getm_notBefore(x), -DAY) != NULL && X509_time_adj_ex(X509_getm_notAfter(x), DAYS, 0, NULL) != NULL;
}

static X509 *make_certificate(const char *host, EVP_PKEY *key)
{
    X509 *x = X509_new();

    if (x != NULL && X509_set_version(x, X509_VERSION_3) == 1 && set_serial(x) && set_subject(x, host) && set_dates(x) &&
        X509_set_pubkey(x, key) == 1 && add_extension(x, NID_basic_constraints, "critical,CA:FALSE") &&
        add_extension(x, NID_key_usage, "critical,digitalSignature") && add_extension(x, NID_ext_key_usage, "serverAuth") &&
        add_extension(x, NID_subject_key_identifier, "hash") && add_names(x, host) && X509_sign(x, key, EVP_sha256()) > 0)
        return x;
    X509_free(x);
    return NULL;
}

static bool make_folders(const char *path)
{
    char folder[PATH_MAX];

    if (!str_copy(str_of(path), folder, sizeof folder)) {
        errno = ENAMETOOLONG;
        return false;
    }
    for (char *slash = strchr(folder + 1, '/'); folder[0] != '\0' && slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (mkdir(folder, 0700) < 0 && errno != EEXIST)
            return false;
        *slash = '/';
    }
    return true;
}

static bool write_all(int fd, struct str data)
{
    while (data.length > 0) {
        ssize_t n = write(fd, data.data, data.length);

        if (n < 0 && errno != EINTR)
            return false;
        if (n > 0)
            data = str_from(data, (size_t)n);
    }
    return true;
}

/* Creates PATH, or leaves nothing behind. */
static bool write_new(const char *path, mode_t mode, struct str data, char *error, size_t error_size)
{
    int fd = make_folders(path) ? open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600) : -1;
    bool good = fd >= 0 && fchmod(fd, mode) == 0 && write_all(fd, data) && fsync(fd) == 0 && file_sync_name(path);

    if (!good)
        snprintf(error, error_size, "cannot create %s: %s", path, strerror(errno));
    if (fd >= 0)
        close(fd);
    if (fd >= 0 && !good)
        unlink(path);
    return good;
}

static struct str bytes_of(BIO *bio)
{
    char *data = NULL;
    long length = BIO_get_mem_data(bio, &data);

    return (struct str){data, length > 0 ? (size_t)length : 0};
}

static bool write_both(BIO *cert, BIO *key, const char *cert_path, const char *key_path, char *error, size_t error_size)
{
    if (!write_new(key_path, 0600, bytes_of(key), error, error_size))
        return false;
    if (write_new(cert_path, 0644, bytes_of(cert), error, error_size))
        return true;
    unlink(key_path);
    return false;
}

bool tls_make_self_signed(const char *host, const char *cert_path, const char *key_path, char *error, size_t error_size)
{
    BIO *cert_text = BIO_new(BIO_s_mem()), *key_text = BIO_new(BIO_s_secmem());
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *x = key != NULL ? make_certificate(host, key) : NULL;
    bool good = x != NULL && cert_text != NULL && key_text != NULL && PEM_write_bio_X509(cert_text, x) == 1 &&
                PEM_write_bio_PrivateKey(key_text, key, NULL, NULL, 0, NULL, NULL) == 1;

    if (good)
        good = write_both(cert_text, key_text, cert_path, key_path, error, error_size);
    else
        snprintf(error, error_size, "cannot make a certificate for %s: %s", host, tls_library_reason());
    X509_free(x);
    EVP_PKEY_free(key);
    BIO_free(key_text);
    BIO_free(cert_text);
    return good;
}

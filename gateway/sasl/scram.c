#include "sasl/scram.h"

#include "base/base64.h"
#include "sasl/keys.h"
#include "sasl/prepare.h"

#include <string.h>

static bool is_letter(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

/* Cuts the attribute LETTER, which must be next and have a value, off REST. */
static bool take(struct str *rest, char letter, struct str *value)
{
    struct str part;

    if (!str_cut(rest, ',', &part) || part.length < 3 || part.data[0] != letter || part.data[1] != '=')
        return false;
    *value = str_from(part, 2);
    return str_is_utf8(*value) && !str_has(*value, '\0');
}

/* Extensions that we do not know may be passed over: letters without a meaning of their own, as the reserved m has one. */
static bool only_extensions(struct str rest)
{
    while (rest.data != NULL) {
        char letter = rest.length > 0 ? rest.data[0] : '\0';
        struct str value;

        if (!is_letter(letter) || str_has(STR("aceimnprsv"), letter) || !take(&rest, letter, &value))
            return false;
    }
    return true;
}

/* printable: "!" to "~" without the comma. */
static bool is_nonce(struct str s)
{
    for (size_t i = 0; i < s.length; i++)
        if (s.data[i] < '!' || s.data[i] > '~' || s.data[i] == ',')
            return false;
    return s.length > 0;
}

static bool is_binding_name(struct str s)
{
    for (size_t i = 0; i < s.length; i++)
        if (!is_letter(s.data[i]) && !(s.data[i] >= '0' && s.data[i] <= '9') && s.data[i] != '.' && s.data[i] != '-')
            return false;
    return s.length > 0;
}

static bool take_nonce(struct str *rest, struct str *nonce)
{
    return take(rest, 'r', nonce) && is_nonce(*nonce);
}

static bool read_digest(struct str text, unsigned char to[CRYPTO_SHA256])
{
    struct buf bytes = {0};
    bool ok = base64_decode(text, &bytes) && bytes.length == CRYPTO_SHA256;

    if (ok)
        memcpy(to, bytes.data, CRYPTO_SHA256);
    buf_done(&bytes);
    return ok;
}

static bool read_flag(struct str part, struct scram_client_first *m)
{
    m->flag = part.length > 0 ? part.data[0] : '\0';
    m->binding_name = str_from(part, 2);
    if (m->flag == 'p')
        return str_starts(part, STR("p=")) && is_binding_name(m->binding_name);
    return part.length == 1 && (m->flag == 'n' || m->flag == 'y');
}

bool scram_read_client_first(struct str message, struct scram_client_first *m)
{
    struct str rest = message, flag, authzid;

    *m = (struct scram_client_first){0};
    if (!str_cut(&rest, ',', &flag) || !read_flag(flag, m) || !str_cut(&rest, ',', &authzid) || rest.data == NULL)
        return false;
    if (authzid.length > 0 && (authzid.length < 3 || !str_starts(authzid, STR("a="))))
        return false;
    m->authzid = str_from(authzid, 2);
    m->bare = rest;
    m->header = str_part(message, 0, message.length - rest.length);
    return take(&rest, 'n', &m->login) && take_nonce(&rest, &m->nonce) && only_extensions(rest);
}

bool scram_read_server_first(struct str message, struct scram_server_first *m)
{
    struct str rest = message, iterations;
    uint64_t number;

    *m = (struct scram_server_first){0};
    if (!take_nonce(&rest, &m->nonce) || !take(&rest, 's', &m->salt) || !take(&rest, 'i', &iterations) || !only_extensions(rest))
        return false;
    if (!str_number(iterations, SASL_ITERATIONS_MAX, &number) || iterations.data[0] == '0')
        return false;
    m->iterations = (unsigned)number;
    return true;
}

bool scram_read_client_final(struct str message, struct scram_client_final *m)
{
    struct str rest, proof;
    size_t comma = message.length;

    *m = (struct scram_client_final){0};
    while (comma > 0 && message.data[comma - 1] != ',')
        comma--;
    if (comma == 0)
        return false;
    m->without_proof = str_part(message, 0, comma - 1);
    rest = str_from(message, comma);
    if (!take(&rest, 'p', &proof) || !read_digest(proof, m->proof))
        return false;
    rest = m->without_proof;
    return take(&rest, 'c', &m->binding) && take_nonce(&rest, &m->nonce) && only_extensions(rest);
}

bool scram_read_server_final(struct str message, struct scram_server_final *m)
{
    struct str rest = message, value;

    *m = (struct scram_server_final){.refused = str_starts(message, STR("e="))};
    if (!take(&rest, m->refused ? 'e' : 'v', &value) || !only_extensions(rest))
        return false;
    return m->refused || read_digest(value, m->signature);
}

void scram_write_name(struct str name, struct buf *to)
{
    for (size_t i = 0; i < name.length; i++)
        if (name.data[i] == ',')
            buf_add(to, STR("=2C"));
        else if (name.data[i] == '=')
            buf_add(to, STR("=3D"));
        else
            buf_add_byte(to, name.data[i]);
}

bool scram_read_name(struct str written, struct buf *to)
{
    for (size_t i = 0; i < written.length; i++) {
        struct str here = str_part(written, i, 3);

        if (written.data[i] != '=')
            buf_add_byte(to, written.data[i]);
        else if (str_equal(here, STR("=2C")) || str_equal(here, STR("=3D"))) {
            buf_add_byte(to, here.data[2] == 'C' ? ',' : '=');
            i += 2;
        } else
            return false;
    }
    return true;
}

void scram_make_nonce(char to[SCRAM_NONCE_SIZE])
{
    char bytes[(SCRAM_NONCE_SIZE - 1) / 4 * 3];
    struct buf text = {0};

    crypto_random(bytes, sizeof bytes);
    base64_encode((struct str){bytes, sizeof bytes}, &text);
    str_copy(buf_str(&text), to, SCRAM_NONCE_SIZE);
    buf_done(&text);
}

static struct str digest_str(const unsigned char digest[CRYPTO_SHA256])
{
    return (struct str){(const char *)digest, CRYPTO_SHA256};
}

bool scram_derive(struct str password, struct str salt, unsigned iterations, struct scram_secrets *to)
{
    unsigned char salted[CRYPTO_SHA256];
    struct buf prepared = {0};
    bool ok = sasl_prepare(password, &prepared);

    if (ok) {
        crypto_pbkdf2_sha256(buf_str(&prepared), salt, iterations, salted);
        crypto_hmac_sha256(digest_str(salted), STR("Client Key"), to->client_key);
        crypto_hmac_sha256(digest_str(salted), STR("Server Key"), to->server_key);
        crypto_sha256(digest_str(to->client_key), to->stored_key);
        crypto_wipe(salted, sizeof salted);
    }
    crypto_wipe_buf(&prepared);
    return ok;
}

void scram_proof(const unsigned char *from, const unsigned char *stored_key, struct str auth_message, unsigned char *to)
{
    unsigned char signature[CRYPTO_SHA256];

    crypto_hmac_sha256(digest_str(stored_key), auth_message, signature);
    for (size_t i = 0; i < CRYPTO_SHA256; i++)
        to[i] = from[i] ^ signature[i];
    crypto_wipe(signature, sizeof signature);
}

void scram_signature(const unsigned char *server_key, struct str auth_message, unsigned char *to)
{
    crypto_hmac_sha256(digest_str(server_key), auth_message, to);
}

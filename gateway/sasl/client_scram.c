/* RFC 5802 and 7677, the client's side. */
#include "sasl/client_exchange.h"

#include "base/base64.h"
#include "sasl/keys.h"
#include "sasl/prepare.h"

#include <string.h>

static struct str binding_of(const struct sasl_client *c)
{
    return c->scram.plus ? c->login.binding : STR("");
}

static enum sasl_result server_final(struct sasl_client *c, struct str challenge, struct buf *response)
{
    unsigned char signature[CRYPTO_SHA256];
    struct scram_server_final m;

    (void)response;
    if (!scram_read_server_final(challenge, &m))
        return SASL_MALFORMED;
    scram_signature(c->scram.server_key, buf_str(&c->scram.auth_message), signature);
    if (m.refused || !crypto_equal(m.signature, signature, sizeof signature))
        return SASL_REFUSED;
    c->owes_proof = false;
    return SASL_DONE;
}

static void add_binding(const struct sasl_client *c, struct buf *to)
{
    struct buf bytes = {0};

    buf_add(&bytes, buf_str(&c->scram.header));
    buf_add(&bytes, binding_of(c));
    base64_encode(buf_str(&bytes), to);
    buf_done(&bytes);
}

static void add_final(struct sasl_client *c, struct str nonce, const struct scram_secrets *secrets, struct buf *response)
{
    unsigned char proof[CRYPTO_SHA256];

    buf_add(response, STR("c="));
    add_binding(c, response);
    buf_add(response, STR(",r="));
    buf_add(response, nonce);
    buf_add_byte(&c->scram.auth_message, ',');
    buf_add(&c->scram.auth_message, buf_str(response));
    scram_proof(secrets->client_key, secrets->stored_key, buf_str(&c->scram.auth_message), proof);
    buf_add(response, STR(",p="));
    base64_encode((struct str){(const char *)proof, sizeof proof}, response);
}

/* The nonce goes on from ours.  Few iterations would make a password easy to guess for whoever plays the server (RFC 7677 section 4). */
static bool is_acceptable(const struct sasl_client *c, const struct scram_server_first *m)
{
    struct str ours = str_of(c->scram.nonce);

    return str_starts(m->nonce, ours) && m->nonce.length > ours.length && m->iterations >= SCRAM_ITERATIONS_LEAST;
}

static enum sasl_result server_first(struct sasl_client *c, struct str challenge, struct buf *response)
{
    struct scram_secrets secrets;
    struct scram_server_first m;
    struct buf salt = {0};
    bool ok;

    if (!scram_read_server_first(challenge, &m) || !is_acceptable(c, &m))
        return SASL_MALFORMED;
    if (!base64_decode(m.salt, &salt)) {
        buf_done(&salt);
        return SASL_MALFORMED;
    }
    ok = scram_derive(c->login.secret, buf_str(&salt), m.iterations, &secrets);
    buf_done(&salt);
    if (!ok)
        return SASL_REFUSED;
    buf_add_byte(&c->scram.auth_message, ',');
    buf_add(&c->scram.auth_message, challenge);
    add_final(c, m.nonce, &secrets, response);
    memcpy(c->scram.server_key, secrets.server_key, sizeof secrets.server_key);
    crypto_wipe(&secrets, sizeof secrets);
    c->next = server_final;
    return SASL_CONTINUE;
}

enum sasl_result client_scram_first(struct sasl_client *c, struct str challenge, struct buf *response)
{
    struct buf name = {0}, *bare = &c->scram.auth_message;
    bool ok = sasl_prepare(c->login.login, &name) && (!c->scram.plus || c->login.binding.length > 0);

    (void)challenge;
    if (ok) {
        buf_add_text(&c->scram.header, c->scram.plus ? "p=" SCRAM_BINDING_NAME ",," : c->login.could_bind ? "y,," : "n,,");
        buf_add(bare, STR("n="));
        scram_write_name(buf_str(&name), bare);
        buf_print(bare, ",r=%s", c->scram.nonce);
        buf_add(response, buf_str(&c->scram.header));
        buf_add(response, buf_str(bare));
        c->next = server_first;
    }
    buf_done(&name);
    return ok ? SASL_CONTINUE : SASL_REFUSED;
}

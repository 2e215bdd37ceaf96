/* RFC 5802 and 7677, the server's side. */
#include "sasl/server_exchange.h"

#include "base/base64.h"
#include "smtp/path.h"

#include <pthread.h>
#include <string.h>

_Static_assert((int)SASL_SALT <= (int)CRYPTO_SHA256, "a digest makes a salt");

static pthread_once_t fake_once = PTHREAD_ONCE_INIT;
static unsigned char fake_key[CRYPTO_SHA256];

static void make_fake_key(void)
{
    crypto_random(fake_key, sizeof fake_key);
}

/* A user has one salt under all spellings of an address; so has nobody. */
static void fake_salt(struct str login, struct str decoy, unsigned char salt[SASL_SALT])
{
    unsigned char digest[CRYPTO_SHA256];
    struct arena arena;
    struct path p;

    arena_init(&arena);
    login = arena_lower(&arena, login);
    if (path_parse_address(&p, login, &arena) == PATH_OK)
        login = path_format(p.local, p.host, &arena);
    pthread_once(&fake_once, make_fake_key);
    if (decoy.length == 0)
        decoy = (struct str){(const char *)fake_key, sizeof fake_key};
    crypto_hmac_sha256(decoy, login, digest);
    memcpy(salt, digest, SASL_SALT);
    arena_done(&arena);
}

/* Made for everybody, so that it takes as long for all. */
static void cover_unknown(struct sasl_server *s)
{
    struct sasl_keys fake = {.iterations = SASL_ITERATIONS, .salt_length = SASL_SALT};

    fake_salt(str_of(s->login), s->settings.decoy, fake.salt);
    crypto_random(fake.stored_key, sizeof fake.stored_key);
    crypto_random(fake.server_key, sizeof fake.server_key);
    s->known = s->known && s->keys.has_scram;
    if (!s->known)
        s->keys = fake;
}

/* The client waits with an empty response until it has seen that we know its keys, too. */
static enum sasl_result last(struct sasl_server *s, struct str response, struct buf *challenge)
{
    (void)s;
    (void)challenge;
    return response.length == 0 ? SASL_DONE : SASL_MALFORMED;
}

static bool proof_is_good(const struct sasl_server *s, const unsigned char proof[CRYPTO_SHA256])
{
    unsigned char client_key[CRYPTO_SHA256], stored_key[CRYPTO_SHA256];
    bool good;

    scram_proof(proof, s->keys.stored_key, buf_str(&s->scram.auth_message), client_key);
    crypto_sha256((struct str){(const char *)client_key, sizeof client_key}, stored_key);
    good = crypto_equal(stored_key, s->keys.stored_key, sizeof stored_key);
    crypto_wipe(client_key, sizeof client_key);
    return good && s->known;
}

static bool binding_is_good(const struct sasl_server *s, struct str said)
{
    return str_equal(said, buf_str(&s->scram.binding));
}

static enum sasl_result final(struct sasl_server *s, struct str response, struct buf *challenge)
{
    unsigned char signature[CRYPTO_SHA256];
    struct scram_client_final m;
    struct buf binding = {0};
    bool ok;

    if (!scram_read_client_final(response, &m))
        return SASL_MALFORMED;
    if (!base64_decode(m.binding, &binding)) {
        buf_done(&binding);
        return SASL_MALFORMED;
    }
    buf_add_byte(&s->scram.auth_message, ',');
    buf_add(&s->scram.auth_message, m.without_proof);
    ok = proof_is_good(s, m.proof);
    ok = binding_is_good(s, buf_str(&binding)) && str_equal(m.nonce, buf_str(&s->scram.full_nonce)) && ok;
    buf_done(&binding);
    if (!ok)
        return SASL_REFUSED;
    scram_signature(s->keys.server_key, buf_str(&s->scram.auth_message), signature);
    buf_add(challenge, STR("v="));
    base64_encode((struct str){(const char *)signature, sizeof signature}, challenge);
    s->next = last;
    return SASL_CONTINUE;
}

static void answer(struct sasl_server *s, const struct scram_client_first *m, struct buf *challenge)
{
    struct buf *message = &s->scram.auth_message;

    buf_add(&s->scram.full_nonce, m->nonce);
    buf_add_text(&s->scram.full_nonce, s->scram.nonce);
    buf_add(challenge, STR("r="));
    buf_add(challenge, buf_str(&s->scram.full_nonce));
    buf_add(challenge, STR(",s="));
    base64_encode((struct str){(const char *)s->keys.salt, s->keys.salt_length}, challenge);
    buf_print(challenge, ",i=%u", s->keys.iterations);

    buf_add(message, m->bare);
    buf_add_byte(message, ',');
    buf_add(message, buf_str(challenge));

    buf_add(&s->scram.binding, m->header);
    if (m->flag == 'p')
        buf_add(&s->scram.binding, s->settings.binding);
}

/* RFC 5802 section 6.  A client that could bind, and did not see that we can, was shown another list than ours. */
static bool flag_is_good(const struct sasl_server *s, const struct scram_client_first *m)
{
    if (m->flag == 'p')
        return str_equal(m->binding_name, STR(SCRAM_BINDING_NAME)) && s->settings.binding.length > 0;
    return m->flag == 'n' || !s->settings.offers_plus;
}

static bool take_names(struct sasl_server *s, const struct scram_client_first *m, bool *same)
{
    struct buf login = {0}, identity = {0};
    bool ok = scram_read_name(m->login, &login) && scram_read_name(m->authzid, &identity) && server_take_login(s, buf_str(&login));

    *same = identity.length == 0 || str_equal(buf_str(&identity), buf_str(&login));
    buf_done(&login);
    buf_done(&identity);
    return ok;
}

enum sasl_result server_scram_first(struct sasl_server *s, struct str response, struct buf *challenge)
{
    struct scram_client_first m;
    bool same;

    if (!scram_read_client_first(response, &m) || (m.flag == 'p') != s->scram.plus || !take_names(s, &m, &same))
        return SASL_MALFORMED;
    if (!same || !flag_is_good(s, &m))
        return SASL_REFUSED;
    if (!server_take_keys(s))
        return SASL_UNAVAILABLE;
    cover_unknown(s);
    answer(s, &m, challenge);
    s->next = final;
    return SASL_CONTINUE;
}

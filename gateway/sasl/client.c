#include "sasl/client.h"

#include "base/hex.h"
#include "base/memory.h"
#include "sasl/client_exchange.h"

/* What the mechanisms put around login and secret, a host name included. */
enum { RESPONSE_FRAME = 512 };

static enum sasl_result plain(struct sasl_client *c, struct str challenge, struct buf *response)
{
    (void)challenge;
    buf_add_byte(response, '\0');
    buf_add(response, c->login.login);
    buf_add_byte(response, '\0');
    buf_add(response, c->login.secret);
    return SASL_CONTINUE;
}

static enum sasl_result login_password(struct sasl_client *c, struct str challenge, struct buf *response)
{
    (void)challenge;
    buf_add(response, c->login.secret);
    return SASL_CONTINUE;
}

/* The challenges are for people, and every server has its own. */
static enum sasl_result login_name(struct sasl_client *c, struct str challenge, struct buf *response)
{
    (void)challenge;
    buf_add(response, c->login.login);
    c->next = login_password;
    return SASL_CONTINUE;
}

static enum sasl_result cram(struct sasl_client *c, struct str challenge, struct buf *response)
{
    unsigned char state[CRYPTO_MD5_STATE], digest[CRYPTO_MD5];
    char hex[2 * CRYPTO_MD5];

    if (challenge.length == 0)
        return SASL_MALFORMED;
    crypto_md5_state(c->login.secret, state);
    crypto_hmac_md5(state, challenge, digest);
    crypto_wipe(state, sizeof state);
    hex_write(digest, sizeof digest, hex);
    buf_add(response, c->login.login);
    buf_add_byte(response, ' ');
    buf_add(response, (struct str){hex, sizeof hex});
    return SASL_CONTINUE;
}

/* The server says why in a challenge, which must be answered before it refuses. */
static void keep_complaint(struct sasl_client *c, struct str said)
{
    size_t length = 0;

    for (; length < said.length && length < sizeof c->complaint - 1; length++)
        c->complaint[length] = said.data[length];
    c->complaint[length] = '\0';
    for (char *at = c->complaint; at < c->complaint + length; at++)
        if (*at < ' ' || *at > '~')
            *at = *at == '\r' || *at == '\n' || *at == '\t' ? ' ' : '?';
}

static enum sasl_result xoauth2_refused(struct sasl_client *c, struct str challenge, struct buf *response)
{
    (void)response;
    keep_complaint(c, challenge);
    return SASL_CONTINUE;
}

static enum sasl_result xoauth2(struct sasl_client *c, struct str challenge, struct buf *response)
{
    (void)challenge;
    buf_add(response, STR("user="));
    buf_add(response, c->login.login);
    buf_add(response, STR("\1auth=Bearer "));
    buf_add(response, c->login.secret);
    buf_add(response, STR("\1\1"));
    c->next = xoauth2_refused;
    return SASL_CONTINUE;
}

static enum sasl_result oauthbearer_refused(struct sasl_client *c, struct str challenge, struct buf *response)
{
    keep_complaint(c, challenge);
    buf_add_byte(response, '\1');
    return SASL_CONTINUE;
}

/* RFC 7628 section 3.1 */
static enum sasl_result oauthbearer(struct sasl_client *c, struct str challenge, struct buf *response)
{
    (void)challenge;
    buf_add(response, STR("n,a="));
    scram_write_name(c->login.login, response);
    buf_add(response, STR(",\1"));
    if (c->login.host != NULL && c->login.host[0] != '\0')
        buf_print(response, "host=%s\1port=%d\1", c->login.host, c->login.port);
    buf_add(response, STR("auth=Bearer "));
    buf_add(response, c->login.secret);
    buf_add(response, STR("\1\1"));
    c->next = oauthbearer_refused;
    return SASL_CONTINUE;
}

static const struct {
    enum sasl_result (*begin)(struct sasl_client *c, struct str challenge, struct buf *response);
    bool has_initial;
    bool has_token; /* in place of a password */
} mechanisms[SASL_MECHANISMS] = {
    [SASL_SCRAM_SHA_256_PLUS] = {client_scram_first, true, false},
    [SASL_SCRAM_SHA_256] = {client_scram_first, true, false},
    [SASL_CRAM_MD5] = {cram, false, false},
    [SASL_PLAIN] = {plain, true, false},
    [SASL_LOGIN] = {login_name, false, false},
    [SASL_OAUTHBEARER] = {oauthbearer, true, true},
    [SASL_XOAUTH2] = {xoauth2, true, true},
};

static enum sasl_result unusable(struct sasl_client *c, struct str challenge, struct buf *response)
{
    (void)c;
    (void)challenge;
    (void)response;
    return SASL_REFUSED;
}

/* What cannot be said by any mechanism, or would say something else. */
static bool is_usable(const struct sasl_login *login, bool has_token)
{
    if (login->login.length == 0 || str_has_control(login->login) || login->secret.length == 0)
        return false;
    return has_token ? str_is_ascii(login->secret) && !str_has_control(login->secret) : !str_has(login->secret, '\0');
}

struct sasl_client *sasl_client_begin(enum sasl_mechanism m, const struct sasl_login *login)
{
    struct sasl_client *c = memory_new(sizeof *c);

    c->login = *login;
    c->next = is_usable(login, mechanisms[m].has_token) ? mechanisms[m].begin : unusable;
    c->scram.plus = m == SASL_SCRAM_SHA_256_PLUS;
    c->owes_proof = m == SASL_SCRAM_SHA_256 || m == SASL_SCRAM_SHA_256_PLUS;
    scram_make_nonce(c->scram.nonce);
    return c;
}

void sasl_client_end(struct sasl_client **c)
{
    if (*c == NULL)
        return;
    buf_done(&(*c)->scram.header);
    buf_done(&(*c)->scram.auth_message);
    crypto_wipe(*c, sizeof **c);
    memory_free(c);
}

bool sasl_client_has_initial(enum sasl_mechanism m)
{
    return mechanisms[m].has_initial;
}

/* All that has the secret in it fits at once: what a buffer leaves behind as it grows would not be wiped. */
static void reserve(const struct sasl_client *c, struct buf *response)
{
    if (response->limit == 0)
        buf_room(response, c->login.secret.length + 3 * c->login.login.length + RESPONSE_FRAME);
}

enum sasl_result sasl_client_step(struct sasl_client *c, struct str challenge, struct buf *response)
{
    enum sasl_result (*step)(struct sasl_client *, struct str, struct buf *) = c->next;

    buf_clear(response);
    c->next = NULL;
    if (step == NULL || challenge.length > SASL_CHALLENGE_MAX)
        return SASL_MALFORMED;
    if (challenge.data == NULL)
        challenge = STR("");
    reserve(c, response);
    return step(c, challenge, response);
}

bool sasl_client_proved(const struct sasl_client *c)
{
    return !c->owes_proof;
}

const char *sasl_client_complaint(const struct sasl_client *c)
{
    return c->complaint;
}

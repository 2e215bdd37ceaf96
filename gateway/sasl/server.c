#include "sasl/server.h"

#include "base/clock.h"
#include "base/hex.h"
#include "base/memory.h"
#include "sasl/prepare.h"
#include "sasl/server_exchange.h"

#include <inttypes.h>

enum { CRAM_DIGEST = 2 * CRYPTO_MD5 }; /* as hexadecimal digits */

bool server_take_login(struct sasl_server *s, struct str login)
{
    struct buf prepared = {0};
    bool ok = login.length <= SASL_LOGIN_MAX && sasl_prepare(login, &prepared) && str_copy(buf_str(&prepared), s->login, sizeof s->login);

    buf_done(&prepared);
    return ok;
}

bool server_take_keys(struct sasl_server *s)
{
    const struct sasl_users *users = s->settings.users;
    enum sasl_answer answer = users->keys(users->self, str_of(s->login), &s->keys);

    s->known = answer == SASL_YES;
    return answer != SASL_FAILED;
}

/* An empty password is nobody's: a directory might take it for a login without a name. */
static enum sasl_result check_password(const struct sasl_server *s, struct str password)
{
    const struct sasl_users *users = s->settings.users;

    if (password.length == 0)
        return SASL_REFUSED;
    switch (users->check(users->self, str_of(s->login), password)) {
    case SASL_YES:
        return SASL_DONE;
    case SASL_NO:
        return SASL_REFUSED;
    case SASL_FAILED:
        break;
    }
    return SASL_UNAVAILABLE;
}

/* RFC 4616 section 2: [authzid] NUL authcid NUL passwd */
static enum sasl_result plain(struct sasl_server *s, struct str response, struct buf *challenge)
{
    size_t first = str_find(response, '\0', 0), second = str_find(response, '\0', first + 1);
    struct str identity = str_part(response, 0, first), login = str_part(response, first + 1, second - first - 1);
    struct str password = str_from(response, second + 1);

    (void)challenge;
    if (second >= response.length || str_has(password, '\0') || !server_take_login(s, login))
        return SASL_MALFORMED;
    if (identity.length > 0 && !str_equal(identity, login))
        return SASL_REFUSED;
    return check_password(s, password);
}

static enum sasl_result login_password(struct sasl_server *s, struct str response, struct buf *challenge)
{
    (void)challenge;
    return str_has(response, '\0') ? SASL_MALFORMED : check_password(s, response);
}

static enum sasl_result login_name(struct sasl_server *s, struct str response, struct buf *challenge)
{
    if (!server_take_login(s, response))
        return SASL_MALFORMED;
    buf_add(challenge, STR("Password:"));
    s->next = login_password;
    return SASL_CONTINUE;
}

/* Not in the draft, but some clients send the name along with AUTH. */
static enum sasl_result login_begin(struct sasl_server *s, struct str response, struct buf *challenge)
{
    if (response.length > 0)
        return login_name(s, response, challenge);
    buf_add(challenge, STR("Username:"));
    s->next = login_name;
    return SASL_CONTINUE;
}

/* RFC 2195 section 2: login SP digest.  A login may have spaces. */
static enum sasl_result cram_digest(struct sasl_server *s, struct str response, struct buf *challenge)
{
    unsigned char said[CRYPTO_MD5], digest[CRYPTO_MD5];
    size_t length = response.length > CRAM_DIGEST ? response.length - CRAM_DIGEST - 1 : 0;
    bool equal;

    (void)challenge;
    if (length == 0 || response.data[length] != ' ' || !hex_read(str_from(response, length + 1), said, sizeof said) ||
        !server_take_login(s, str_part(response, 0, length)))
        return SASL_MALFORMED;
    if (!server_take_keys(s))
        return SASL_UNAVAILABLE;
    crypto_hmac_md5(s->keys.cram, buf_str(&s->question), digest); /* with whatever stands there for somebody unknown */
    equal = crypto_equal(digest, said, sizeof digest);
    return equal && s->known && s->keys.has_cram ? SASL_DONE : SASL_REFUSED;
}

static enum sasl_result cram_begin(struct sasl_server *s, struct str response, struct buf *challenge)
{
    uint64_t random[2];

    if (response.length > 0)
        return SASL_MALFORMED;
    crypto_random(random, sizeof random);
    buf_print(&s->question, "<%" PRIu64 "%" PRIu64 ".%" PRId64 "@%s>", random[0], random[1], clock_wall() / 1000, s->settings.me);
    buf_add(challenge, buf_str(&s->question));
    s->next = cram_digest;
    return SASL_CONTINUE;
}

static const struct {
    enum sasl_result (*begin)(struct sasl_server *s, struct str response, struct buf *challenge);
    bool wants_initial;
} mechanisms[SASL_MECHANISMS] = {
    [SASL_SCRAM_SHA_256_PLUS] = {server_scram_first, true},
    [SASL_SCRAM_SHA_256] = {server_scram_first, true},
    [SASL_CRAM_MD5] = {cram_begin, false},
    [SASL_PLAIN] = {plain, true},
    [SASL_LOGIN] = {login_begin, false},
};

struct sasl_server *sasl_server_begin(enum sasl_mechanism m, const struct sasl_settings *settings)
{
    struct sasl_server *s = memory_new(sizeof *s);

    s->settings = *settings;
    s->next = mechanisms[m].begin;
    s->scram.plus = m == SASL_SCRAM_SHA_256_PLUS;
    scram_make_nonce(s->scram.nonce);
    return s;
}

void sasl_server_end(struct sasl_server **s)
{
    if (*s == NULL)
        return;
    buf_done(&(*s)->question);
    buf_done(&(*s)->scram.full_nonce);
    buf_done(&(*s)->scram.binding);
    buf_done(&(*s)->scram.auth_message);
    crypto_wipe(*s, sizeof **s);
    memory_free(s);
}

bool sasl_server_wants_initial(enum sasl_mechanism m)
{
    return mechanisms[m].wants_initial;
}

enum sasl_result sasl_server_step(struct sasl_server *s, struct str response, struct buf *challenge)
{
    enum sasl_result (*step)(struct sasl_server *, struct str, struct buf *) = s->next;

    buf_clear(challenge);
    s->next = NULL;
    if (step == NULL || response.length > SASL_RESPONSE_MAX)
        return SASL_MALFORMED;
    if (response.data == NULL)
        response = STR("");
    return step(s, response, challenge);
}

const char *sasl_server_login(const struct sasl_server *s)
{
    return s->login;
}

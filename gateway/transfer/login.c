/* Our login at a next hop (RFC 4954). */
#include "transfer/client.h"

#include "base/base64.h"
#include "base/crypto.h"
#include "sasl/client.h"
#include "transfer/dialogue.h"

#include <stdio.h>
#include <string.h>

/* Longer lines are no longer sure to be taken (RFC 5321 section 4.5.3.1.4): then the initial response waits for the server's first
 * challenge. */
enum { INITIAL_MAX = 480, ROUNDS_MAX = 10, RUN = 6 };

struct attempt {
    struct client *client;
    const struct client_security *security;
    enum sasl_mechanism mechanism;
    struct sasl_client *sasl;
    unsigned char binding[TLS_BINDING];
    struct buf response; /* encoded, to be sent */
    struct buf said;     /* all responses, encoded: what a server must not repeat */
    struct buf challenge; /* of the last 334, encoded */
};

static bool suits(const struct client_security *security, enum sasl_mechanism m, bool has_binding)
{
    bool token = m == SASL_OAUTHBEARER || m == SASL_XOAUTH2;

    return token == security->oauth && (m != SASL_SCRAM_SHA_256_PLUS || has_binding);
}

static bool choose(struct attempt *a, bool has_binding)
{
    for (int i = 0; i < SASL_MECHANISMS; i++) {
        a->mechanism = (enum sasl_mechanism)i;
        if ((a->client->mechanisms & 1U << i) != 0 && suits(a->security, a->mechanism, has_binding))
            return true;
    }
    return false;
}

static void keep_challenge(void *context, struct str text)
{
    struct attempt *a = context;

    buf_clear(&a->challenge);
    buf_add(&a->challenge, text);
}

static struct status read_reply(struct attempt *a)
{
    buf_clear(&a->challenge);
    return dialogue_read(a->client, "AUTH", a->client->timeout, keep_challenge, a);
}

/* The next response to the challenge that was kept, encoded. */
static enum sasl_result step(struct attempt *a, struct str challenge)
{
    struct buf decoded = {.limit = SASL_CHALLENGE_MAX}, plain = {0};
    enum sasl_result result = SASL_MALFORMED;

    crypto_wipe_buf(&a->response);
    if (base64_decode(challenge, &decoded) && !decoded.full) {
        result = sasl_client_step(a->sasl, buf_str(&decoded), &plain);
        base64_encode(buf_str(&plain), &a->response);
        buf_add(&a->said, buf_str(&a->response));
        buf_add_byte(&a->said, '\n');
    }
    crypto_wipe_buf(&plain);
    buf_done(&decoded);
    return result;
}

static void send_command(struct attempt *a, bool has_initial)
{
    const char *name = sasl_mechanism_name(a->mechanism);
    struct buf line = {0};
    char shown[64];

    buf_print(&line, "AUTH %s", name);
    snprintf(shown, sizeof shown, "AUTH %s", name);
    if (has_initial) {
        buf_add_byte(&line, ' ');
        buf_add(&line, a->response.length > 0 ? buf_str(&a->response) : STR("="));
    }
    dialogue_put_secret(a->client, buf_str(&line), shown);
    crypto_wipe_buf(&line);
}

static struct status failed(const struct attempt *a, const char *why)
{
    return status_make(454, "4.7.8", "Login at %s by %s: %s", a->security->wanted.host, sasl_mechanism_name(a->mechanism), why);
}

/* The dialogue stays in step: RFC 4954 section 4, `*` ends an exchange. */
static struct status cancel(struct attempt *a, const char *why)
{
    a->client->login_failed = true;
    dialogue_put(a->client, "*");
    (void)read_reply(a);
    return failed(a, why);
}

/* A run of TEXT as long as that, or all of a shorter secret, is a part of it. */
static bool shares_run(struct str text, struct str secret)
{
    size_t run = secret.length < RUN ? secret.length : RUN;

    for (size_t i = 0; run > 0 && i + run <= text.length; i++)
        if (str_contains(secret, str_part(text, i, run)))
            return true;
    return false;
}

/* TEXT of the server repeats some of the secret, or of what it was sent in: some quote the command that they do not like, or its beginning.
 * */
static bool repeats_secret(const struct attempt *a, struct str text)
{
    return shares_run(text, a->security->secret) || shares_run(text, buf_str(&a->said));
}

static const char *showable(const struct attempt *a, const char *text)
{
    return repeats_secret(a, str_of(text)) ? "(its words repeat the login)" : text;
}

static struct status verdict(struct attempt *a, const struct status *reply)
{
    const char *complaint = sasl_client_complaint(a->sasl);
    char text[2 * STATUS_TEXT_SIZE];

    if (reply->code == 235) {
        a->client->login_failed = !sasl_client_proved(a->sasl);
        if (a->client->login_failed)
            return dialogue_give_up(a->client, failed(a, "the server did not prove that it knows the password"));
        a->client->logged_in = true;
        return status_ok();
    }
    a->client->login_failed = true;
    a->client->login_refused = status_is_permanent(reply);
    snprintf(text, sizeof text, "%d %s%s%s", reply->code, showable(a, reply->text), complaint[0] != '\0' ? " " : "", showable(a, complaint));
    return failed(a, text);
}

static struct status converse(struct attempt *a)
{
    bool has_initial = sasl_client_has_initial(a->mechanism), waits = false;
    int rounds = 0;
    enum sasl_result result = SASL_CONTINUE;
    struct status reply;

    if (has_initial) {
        result = step(a, STR(""));
        waits = a->response.length > INITIAL_MAX;
    }
    if (result == SASL_MALFORMED || result == SASL_REFUSED)
        return failed(a, "login or password cannot be sent by this mechanism");
    send_command(a, has_initial && !waits);
    reply = read_reply(a);
    while (reply.code == 334 && !a->client->broken) {
        if (!waits)
            result = step(a, buf_str(&a->challenge));
        waits = false;
        if (++rounds > ROUNDS_MAX)
            return dialogue_give_up(a->client, failed(a, "the server never comes to an end"));
        if (result == SASL_REFUSED)
            return cancel(a, "the server did not prove that it knows the password");
        if (result == SASL_MALFORMED)
            return cancel(a, "the server's challenge makes no sense");
        dialogue_put_secret(a->client, buf_str(&a->response), "(a line of the login, not shown)");
        reply = read_reply(a);
    }
    return a->client->broken ? a->client->failure : verdict(a, &reply);
}

static struct status no_mechanism(const struct client *c, const struct client_security *security)
{
    if (c->mechanisms == 0)
        return status_make(454, "4.7.8", "%s offers no login that we know, and the route has one", security->wanted.host);
    return status_make(454, "4.7.8", "%s offers no login for %s", security->wanted.host, security->oauth ? "an OAuth token" : "a password");
}

struct status client_login(struct client *c, const struct client_security *security)
{
    struct attempt a = {.client = c, .security = security};
    bool has_binding = c->has_tls && tls_binding(c->stream.tls, a.binding);
    struct sasl_login login = {.login = security->login, .secret = security->secret, .host = security->wanted.host,
                               .port = c->stream.peer.port};
    struct status s;

    if (!c->has_tls)
        return status_make(454, "4.7.8", "A login is not sent to %s in plain text", security->wanted.host);
    if (!choose(&a, has_binding))
        return no_mechanism(c, security);
    if (a.mechanism == SASL_SCRAM_SHA_256_PLUS)
        login.binding = (struct str){(const char *)a.binding, sizeof a.binding};
    login.could_bind = has_binding && a.mechanism == SASL_SCRAM_SHA_256;
    a.sasl = sasl_client_begin(a.mechanism, &login);
    c->masked = true;
    s = converse(&a);
    c->masked = false;
    c->login_failed = c->login_failed || (c->broken && c->failure.code == 421); /* "too many logins", say */
    if (c->broken && repeats_secret(&a, str_of(s.text)))
        s = c->failure = failed(&a, "the server broke it off, and repeated the login");
    sasl_client_end(&a.sasl);
    crypto_wipe_buf(&a.response);
    crypto_wipe_buf(&a.said);
    buf_done(&a.challenge);
    return s;
}

#include "deliverd/security.h"

#include "base/crypto.h"

enum { SUBMISSIONS_PORT = 465 };

static struct tls_rule rule_of(const struct conf *conf, const struct hop *hop)
{
    struct tls_rule rule = hop->has_tls_rule ? hop->tls_rule : (struct tls_rule){conf->deliverd_remote_tls, false};

    if (hop->login != NULL && !hop->has_tls_rule)
        rule.policy = TLS_VERIFY;
    if (hop->login != NULL && rule.policy < TLS_ENCRYPT)
        rule.policy = TLS_ENCRYPT;
    if (hop->port == SUBMISSIONS_PORT && rule.policy != TLS_NONE)
        rule.from_first_byte = true;
    return rule;
}

static struct status open_password(struct security *s, struct secrets *secrets, const struct hop *hop)
{
    char error[SECRETS_ERROR_SIZE];
    struct buf context = {0};
    bool ok;

    secrets_route_context(str_of(hop->host), str_of(hop->login), &context);
    ok = secrets_open(secrets, buf_str(&context), str_of(hop->password), &s->secret, error, sizeof error);
    buf_done(&context);
    return ok ? status_ok() : status_make(454, "4.7.0", "The password of route %lld cannot be opened: %s", (long long)hop->route, error);
}

struct status security_prepare(struct security *s, const struct security_means *means, const struct conf *conf, const struct hop *hop,
                               int64_t flushed)
{
    struct tls_rule rule = rule_of(conf, hop);
    struct status status = status_ok();

    *s = (struct security){0};
    s->may_fall_back = rule.policy == TLS_MAY && !rule.from_first_byte && conf->deliverd_remote_tls_fallback;
    s->client = (struct client_security){
        .tls = means->tls,
        .host = hop->host,
        .policy = rule.policy,
        .from_first_byte = rule.from_first_byte,
        .verify = rule.policy == TLS_VERIFY || (rule.policy == TLS_MAY && !conf->deliverd_remote_tls_skipverify),
        .plain_after = s->may_fall_back,
        .login = str_of(hop->login),
        .oauth = hop->oauth != NULL,
    };
    if (hop->oauth != NULL)
        status = tokens_get(means->tokens, hop->oauth, flushed, &s->secret);
    else if (hop->login != NULL)
        status = open_password(s, means->secrets, hop);
    s->client.secret = buf_str(&s->secret);
    return status;
}

void security_done(struct security *s)
{
    crypto_wipe_buf(&s->secret);
}

void security_fall_back(struct security *s)
{
    s->client.policy = TLS_NONE;
    s->client.verify = false;
    s->client.weakened = true;
    s->may_fall_back = false;
}

#include "deliverd/security.h"

#include "base/crypto.h"

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

struct status security_open(struct security *s, const struct security_means *means, const struct hop *hop, int64_t flushed)
{
    struct status status = status_ok();

    *s = (struct security){0};
    if (hop->oauth != NULL)
        status = tokens_get(means->tokens, hop->oauth, flushed, &s->secret);
    else if (hop->login != NULL)
        status = open_password(s, means->secrets, hop);
    s->client = (struct client_security){
        .tls = means->tls, .login = str_of(hop->login), .secret = buf_str(&s->secret), .oauth = hop->oauth != NULL};
    return status;
}

void security_done(struct security *s)
{
    crypto_wipe_buf(&s->secret);
}

static const char *who(enum protection_origin origin)
{
    static const char *const names[] = {[PROTECTION_CONFIGURATION] = "TMAIL_DELIVERD_REMOTE_TLS",
                                        [PROTECTION_ROUTE] = "the route",
                                        [PROTECTION_LMTP] = "TMAIL_LMTP_TLS",
                                        [PROTECTION_LOGIN] = "the login of the route",
                                        [PROTECTION_DANE] = "its TLSA record (DANE)",
                                        [PROTECTION_STS] = "the MTA-STS policy of the domain"};

    return names[origin];
}

void security_protect(struct security *s, const struct protection *p)
{
    s->client.wanted_by = who(p->origin);
    s->client.wanted = p->wanted;
    s->client.policy = p->policy;
    s->client.from_first_byte = p->from_first_byte;
    s->client.plain_after = p->may_fall_back;
    s->client.weakened = false;
}

void security_fall_back(struct security *s)
{
    s->client.policy = TLS_NONE;
    s->client.wanted.proof = TLS_PROOF_ANY;
    s->client.weakened = true;
    s->client.plain_after = false;
}

#include "deliverd/tls_count.h"

static bool is_counted(const struct tls_results *results, const struct way *way)
{
    return results != NULL && way->is_mx && !way->hop->optional;
}

static enum tls_failure failure_of(enum tls_trouble trouble)
{
    static const enum tls_failure failures[] = {
        [TLS_TROUBLE_NONE] = TLS_FAILURE_VALIDATION,
        [TLS_TROUBLE_NAME] = TLS_FAILURE_CERTIFICATE_HOST_MISMATCH,
        [TLS_TROUBLE_EXPIRED] = TLS_FAILURE_CERTIFICATE_EXPIRED,
        [TLS_TROUBLE_TRUST] = TLS_FAILURE_CERTIFICATE_NOT_TRUSTED,
        [TLS_TROUBLE_TLSA] = TLS_FAILURE_CERTIFICATE_NOT_TRUSTED,
        [TLS_TROUBLE_OTHER] = TLS_FAILURE_VALIDATION,
    };

    return failures[trouble];
}

static bool has_policy(const struct way *way)
{
    return way->has_sts && way->sts.found && way->sts.policy.mode != STS_NONE;
}

/* The texts of a result, which count as long as it is counted. */
struct texts {
    struct buf policy, mx;
};

static void describe(struct tls_result *r, struct texts *t, const struct way *way, const struct way_host *host)
{
    const struct protection *p = &host->protection;

    if (p->dane >= DANE_UNUSABLE) {
        r->type = TLS_RESULT_TLSA;
        for (size_t i = 0; i < p->tlsa_count; i++) {
            dns_write_tlsa(&p->tlsa[i], &t->policy);
            buf_add_byte(&t->policy, '\n');
        }
    } else if (has_policy(way)) {
        r->type = TLS_RESULT_STS;
        buf_add(&t->policy, way->sts.policy.text);
        for (size_t i = 0; i < way->sts.policy.mx_count; i++)
            buf_print(&t->mx, "%s\n", way->sts.policy.mx[i]);
    }
    r->policy = buf_text(&t->policy);
    r->mx = buf_text(&t->mx);
}

static void count(struct tls_results *results, struct tls_result *r, const struct way *way, const struct way_host *host)
{
    struct texts texts = {0};

    r->domain = way->hop->host;
    r->mx_host = host->name;
    describe(r, &texts, way, host);
    tls_results_count(results, r);
    buf_done(&texts.policy);
    buf_done(&texts.mx);
}

/* Under a policy that is only tested the mail has gone, and what enforcing it would have stopped is what its owner wants to hear. */
static enum tls_failure untold_failure(const struct way *way, const struct way_host *host, const struct client *client)
{
    if (host->protection.failure != TLS_FAILURE_NONE)
        return host->protection.failure;
    if (has_policy(way) && host->protection.dane < DANE_UNUSABLE && client->tls_info.peer != TLS_PEER_VERIFIED)
        return failure_of(client->tls_info.peer_trouble);
    return TLS_FAILURE_NONE;
}

void tls_count_session(struct tls_results *results, const struct way *way, const struct way_host *host, const struct client *client)
{
    struct tls_result r = {.local = &client->stream.local, .peer = &client->stream.peer};

    if (!is_counted(results, way) || !(client->tls_missing || client->tls_failed || client->has_tls))
        return;
    if (client->tls_missing) {
        r.failure = TLS_FAILURE_STARTTLS_NOT_SUPPORTED;
    } else if (client->tls_failed) {
        r.failure = failure_of(client->tls_trouble);
        r.reason = client->failure.text;
    } else {
        r.failure = untold_failure(way, host, client);
        r.reason = r.failure != TLS_FAILURE_NONE ? client->tls_info.peer_problem : "";
    }
    count(results, &r, way, host);
}

void tls_count_host(struct tls_results *results, const struct way *way, const struct way_host *host)
{
    struct tls_result r = {.failure = host->protection.failure, .reason = host->status.text};

    if (is_counted(results, way) && r.failure != TLS_FAILURE_NONE)
        count(results, &r, way, host);
}

void tls_count_way(struct tls_results *results, const struct way *way)
{
    static const enum tls_failure failures[] = {[STS_FINE] = TLS_FAILURE_NONE,
                                                [STS_FETCH] = TLS_FAILURE_STS_POLICY_FETCH,
                                                [STS_WEBPKI] = TLS_FAILURE_STS_WEBPKI_INVALID,
                                                [STS_INVALID] = TLS_FAILURE_STS_POLICY_INVALID,
                                                [STS_DATABASE] = TLS_FAILURE_NONE};
    struct tls_result r = {.domain = way->hop->host, .type = TLS_RESULT_STS, .reason = way->sts.reason};

    if (!is_counted(results, way) || !way->has_sts || failures[way->sts.trouble] == TLS_FAILURE_NONE)
        return;
    r.failure = failures[way->sts.trouble];
    tls_results_count(results, &r);
}

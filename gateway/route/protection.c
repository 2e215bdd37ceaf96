#include "route/protection.h"

#include <stdio.h>
#include <string.h>

enum { SUBMISSIONS_PORT = 465 };

const char *protection_origin_name(enum protection_origin origin)
{
    static const char *const names[] = {[PROTECTION_CONFIGURATION] = "configuration",
                                        [PROTECTION_ROUTE] = "route",
                                        [PROTECTION_LMTP] = "lmtp",
                                        [PROTECTION_LOGIN] = "login",
                                        [PROTECTION_DANE] = "dane",
                                        [PROTECTION_STS] = "mta-sts"};

    return names[origin];
}

const char *dane_state_name(enum dane_state state)
{
    static const char *const names[] = {[DANE_OFF] = "off",           [DANE_INSECURE] = "insecure", [DANE_NONE] = "none",
                                        [DANE_UNUSABLE] = "unusable", [DANE_USABLE] = "usable",     [DANE_FAILED] = "failed"};

    return names[state];
}

bool protection_heeds(const struct conf *conf, const struct hop *hop)
{
    return !hop->has_tls_rule && hop->login == NULL && !hop->optional && conf->deliverd_remote_tls != TLS_NONE;
}

/* The rule that is written down here. */
static void take_own_rule(struct protection *p, const struct conf *conf, const struct hop *hop)
{
    p->policy = hop->has_tls_rule ? hop->tls_rule.policy : conf->deliverd_remote_tls;
    p->from_first_byte = hop->has_tls_rule && hop->tls_rule.from_first_byte;
    p->origin = !hop->has_tls_rule ? PROTECTION_CONFIGURATION : hop->route == 0 ? PROTECTION_LMTP : PROTECTION_ROUTE;
    if (hop->login != NULL && (!hop->has_tls_rule || p->policy < TLS_ENCRYPT)) {
        p->policy = hop->has_tls_rule ? TLS_ENCRYPT : TLS_VERIFY;
        p->origin = PROTECTION_LOGIN;
    }
    if (hop->optional && !hop->has_tls_rule && p->policy > TLS_MAY)
        p->policy = TLS_MAY;
    if (hop->port == SUBMISSIONS_PORT && p->policy != TLS_NONE)
        p->from_first_byte = true;
}

/* RFC 7672 section 2.2.2: under which of the host's names TLSA records may stand; none where its addresses are not proven. */
struct bases {
    const char *names[2];
    size_t count;
    bool failed;
    char reason[DNS_REASON_SIZE];
};

static void add_base(struct bases *b, const char *name)
{
    b->names[b->count++] = name;
}

/* The addresses are not proven, but the alias that leads to them may be: then the records stand at the alias. */
static void find_alias_base(struct bases *b, const struct protection_question *q, struct arena *arena)
{
    struct dns_answer answer;

    dns_ask(q->dns, q->host, DNS_CNAME, q->deadline, arena, &answer);
    b->failed = answer.outcome == DNS_FAILED;
    if (b->failed)
        str_copy(str_of(answer.reason), b->reason, sizeof b->reason);
    if (answer.outcome == DNS_FOUND && answer.secure)
        add_base(b, q->host);
}

static void find_bases(struct bases *b, const struct protection_question *q, struct arena *arena)
{
    struct address unused;
    bool is_alias = strcmp(q->found->canonical, q->host) != 0;

    *b = (struct bases){0};
    if (address_parse(&unused, str_of(q->host)) || (q->domain != NULL && !q->mx_secure))
        return;
    if (!q->found->secure && is_alias)
        find_alias_base(b, q, arena);
    if (!q->found->secure)
        return;
    if (is_alias)
        add_base(b, q->found->canonical);
    add_base(b, q->host);
}

static void take_records(struct protection *p, const struct dns_answer *answer, struct arena *arena)
{
    bool usable = false;

    p->tlsa = arena_new(arena, answer->count * sizeof *p->tlsa);
    for (size_t i = 0; i < answer->count; i++)
        if (dns_read_tlsa(answer->records[i], &p->tlsa[p->tlsa_count]))
            usable = tls_can_use(&p->tlsa[p->tlsa_count++]) || usable;
    p->dane = usable ? DANE_USABLE : DANE_UNUSABLE;
}

/* What the answer for one name leaves: the next name is asked where this one has nothing that is proven. */
static void ask_tlsa(struct protection *p, const struct protection_question *q, const char *base, struct bases *b, struct arena *arena)
{
    char name[DNS_NAME_SIZE + 16];
    struct dns_answer answer;

    snprintf(name, sizeof name, "_%d._tcp.%s", q->hop->port, base);
    p->tlsa_name = arena_text(arena, str_of(name));
    p->wanted.host = base;
    dns_ask(q->dns, name, DNS_TLSA, q->deadline, arena, &answer);
    if (answer.outcome == DNS_FAILED) {
        p->dane = DANE_FAILED;
        p->failure = answer.bogus ? TLS_FAILURE_DNSSEC_INVALID : TLS_FAILURE_VALIDATION;
        str_copy(str_of(answer.reason), b->reason, sizeof b->reason);
    } else if (answer.outcome == DNS_FOUND && answer.secure) {
        take_records(p, &answer, arena);
    } else {
        p->dane = answer.secure ? DANE_NONE : DANE_INSECURE;
    }
}

static void find_records(struct protection *p, const struct protection_question *q, struct bases *b, struct arena *arena)
{
    find_bases(b, q, arena);
    p->dane = b->failed ? DANE_FAILED : DANE_INSECURE;
    for (size_t i = 0; i < b->count && p->dane <= DANE_NONE; i++)
        ask_tlsa(p, q, b->names[i], b, arena);
}

/* RFC 7672 section 3.2.2: the names that a certificate below a trust anchor may have, beside the one that the records stand at: those of
 * the destination, or the host as a route has it; an MX host that is an alias is none of them. */
static void want_dane(struct protection *p, const struct protection_question *q)
{
    p->policy = TLS_DANE;
    p->wanted.proof = TLS_PROOF_DANE;
    p->wanted.tlsa = p->tlsa;
    p->wanted.tlsa_count = p->tlsa_count;
    if (q->domain == NULL) {
        p->wanted.also[0] = q->host;
        return;
    }
    p->wanted.also[0] = q->domain;
    p->wanted.also[1] = q->canonical;
}

static void refuse_without_dane(struct protection *p, const struct protection_question *q)
{
    if (p->dane == DANE_UNUSABLE)
        p->status = status_make(451, "4.7.5", "The route needs DANE, and none of the TLSA records at %s can be used", p->tlsa_name);
    else
        p->status = status_make(451, "4.7.5", "The route needs DANE, and %s has no TLSA record that DNSSEC proves", q->host);
    p->failure = p->dane == DANE_UNUSABLE ? TLS_FAILURE_TLSA_INVALID : TLS_FAILURE_DANE_REQUIRED;
}

/* TLS without a known certificate is all that records of no use ask for (RFC 7672 section 2.2). */
static void want_encryption(struct protection *p)
{
    p->failure = TLS_FAILURE_TLSA_INVALID;
    if (p->policy >= TLS_ENCRYPT)
        return;
    p->policy = TLS_ENCRYPT;
    p->origin = PROTECTION_DANE;
}

static void add_dane(struct protection *p, const struct protection_question *q, struct arena *arena)
{
    bool required = p->policy == TLS_DANE;
    struct bases bases;

    find_records(p, q, &bases, arena);
    if (p->dane == DANE_FAILED) {
        p->status = status_make(451, "4.4.3", "Cannot find the TLSA records of %s: %s", q->host, bases.reason);
    } else if (p->dane == DANE_USABLE) {
        want_dane(p, q);
        p->origin = required ? p->origin : PROTECTION_DANE;
    } else {
        p->wanted.host = q->host;
        if (required)
            refuse_without_dane(p, q);
        else if (p->dane == DANE_UNUSABLE)
            want_encryption(p);
    }
}

/* What follows from the policy once it is settled. */
static void settle(struct protection *p, const struct conf *conf, const struct hop *hop)
{
    p->may_fall_back = p->policy == TLS_MAY && !p->from_first_byte && conf->deliverd_remote_tls_fallback;
    if (p->policy == TLS_VERIFY || (p->policy == TLS_MAY && !conf->deliverd_remote_tls_skipverify && !hop->optional))
        p->wanted.proof = TLS_PROOF_NAME;
}

void protection_find(struct protection *p, const struct protection_question *q, struct arena *arena)
{
    *p = (struct protection){.status = status_ok(),
                             .wanted.host = q->host,
                             .heeds = protection_heeds(q->conf, q->hop)};
    take_own_rule(p, q->conf, q->hop);
    if (p->policy == TLS_DANE || (p->heeds && q->conf->dane && q->conf->dnssec))
        add_dane(p, q, arena);
    settle(p, q->conf, q->hop);
}

bool protection_wants_sts(const struct protection *p)
{
    return p->heeds && status_is_ok(&p->status) && p->dane != DANE_USABLE;
}

/* Section 5: who may not be used, and who must prove its name. */
static void enforce(struct protection *p, const struct sts_answer *sts, const char *domain, const char *host)
{
    if (!sts_names(&sts->policy, host)) {
        p->status = status_make(451, "4.7.5", "The MTA-STS policy of %s does not name %s", domain, host);
        p->failure = TLS_FAILURE_VALIDATION;
        return;
    }
    p->policy = TLS_VERIFY;
    p->origin = PROTECTION_STS;
    p->wanted.proof = TLS_PROOF_NAME;
    p->may_fall_back = false;
}

void protection_add_sts(struct protection *p, const struct sts_answer *sts, const char *domain, const char *host)
{
    if (sts->found && sts->policy.mode == STS_ENFORCE)
        enforce(p, sts, domain, host);
    else if (sts->found && sts->policy.mode == STS_TESTING && !sts_names(&sts->policy, host))
        p->failure = TLS_FAILURE_VALIDATION;
    else if (!sts->found && sts->trouble == STS_DATABASE)
        p->status = status_make(451, "4.3.0", "Cannot look up the MTA-STS policy of %s: %s", domain, sts->reason);
}

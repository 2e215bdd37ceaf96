#include "smtpd/mailboxes.h"

#include "base/memory.h"
#include "conf/dns_settings.h"
#include "conf/tls_policy.h"
#include "dovecot/quota_status.h"
#include "lmtp/probe.h"

struct mailboxes {
    const struct conf *conf;
    struct arena arena;
    struct endpoint quota_endpoint;
    struct quota_status *quota; /* NULL: nobody is asked */
    struct lmtp_means means;
    struct probe *probe; /* likewise */
    struct dns *own_dns;
};

static bool is_name(const struct endpoint *e)
{
    struct address unused;

    return e->path == NULL && !address_parse(&unused, str_of(e->host));
}

/* What the servers of TMAIL_LMTP_ADDRESS make necessary. */
static void look_at_servers(const struct conf *conf, struct arena *arena, bool *names, bool *tls)
{
    struct endpoints servers = {0};
    struct tls_rule rule = {0};

    tls_rule_parse(&rule, str_of(conf->lmtp_tls));
    endpoints_parse(&servers, str_of(conf->lmtp_address), arena);
    for (size_t i = 0; i < servers.count; i++) {
        *names = *names || is_name(&servers.items[i]);
        *tls = *tls || (servers.items[i].path == NULL && rule.policy != TLS_NONE);
    }
}

static bool open_dns(struct mailboxes *m, struct dns *dns, bool needed, char *error, size_t size)
{
    const struct dns_settings settings = conf_dns_settings(m->conf);

    if (dns == NULL && needed)
        dns = m->own_dns = dns_open(&settings, error, size);
    m->means.dns = dns;
    return dns != NULL || !needed;
}

static bool open_tls(struct mailboxes *m, bool needed, char *error, size_t size)
{
    if (needed)
        m->means.tls = tls_client_new(m->conf->tls_min_version, m->conf->tls_ca_file, error, size);
    return m->means.tls != NULL || !needed;
}

static bool open_all(struct mailboxes *m, struct dns *dns, char *error, size_t size)
{
    const struct conf *conf = m->conf;
    bool asks_quota = conf->dovecot_quota_status[0] != '\0', probes = conf->lmtp_probe_domains[0] != '\0';
    bool names = false, tls = false;

    if (asks_quota && endpoint_parse(&m->quota_endpoint, str_of(conf->dovecot_quota_status), &m->arena))
        names = is_name(&m->quota_endpoint);
    if (probes)
        look_at_servers(conf, &m->arena, &names, &tls);
    if (!open_dns(m, dns, names, error, size) || !open_tls(m, tls, error, size))
        return false;
    m->quota = asks_quota ? quota_status_new(&m->quota_endpoint, m->means.dns) : NULL;
    m->probe = probes ? probe_new(&m->means) : NULL;
    return true;
}

struct mailboxes *mailboxes_open(const struct conf *conf, struct dns *dns, char *error, size_t error_size)
{
    struct mailboxes *m = memory_new(sizeof *m);

    m->conf = m->means.conf = conf;
    arena_init(&m->arena);
    if (!open_all(m, dns, error, error_size))
        mailboxes_close(&m);
    return m;
}

void mailboxes_close(struct mailboxes **m)
{
    if (*m == NULL)
        return;
    quota_status_free(&(*m)->quota);
    probe_free(&(*m)->probe);
    tls_client_free(&(*m)->means.tls);
    if ((*m)->own_dns != NULL)
        dns_close(&(*m)->own_dns);
    arena_done(&(*m)->arena);
    memory_free(m);
}

bool mailboxes_find(const struct mailboxes *m, const struct path *path, struct policy_verdict *v, struct arena *arena)
{
    struct status s;
    bool unknown;

    if (m->probe == NULL || !v->unknown_recipient || !probe_is_for(m->conf, path->host))
        return false;
    s = probe_ask(m->probe, path_format(path->local, path->host, arena), &unknown);
    *v = (struct policy_verdict){
        .status = status_is_ok(&s) ? status_make(250, "", "ok") : s, .rule = POLICY_MAILBOX, .unknown_recipient = unknown};
    return status_is_ok(&s);
}

struct status mailboxes_have_room(const struct mailboxes *m, struct str address, uint64_t size)
{
    return m->quota != NULL ? quota_status_ask(m->quota, address, size) : status_ok();
}

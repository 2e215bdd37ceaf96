#include "route/way.h"

#include "base/clock.h"
#include "base/stop.h"
#include "conf/dns_settings.h"
#include "smtp/domain.h"

#include <ifaddrs.h>
#include <string.h>

/* RFC 8461 section 3.3 suggests a minute for the fetch of a policy. */
enum { STS_MS = 60000, WAY_TIMEOUTS = 3, OTHERS_MS = 2000 };

bool way_means_open(struct way_means *m, const struct conf *conf, bool stores, struct arena *arena, char *error, size_t error_size)
{
    const struct dns_settings settings = conf_dns_settings(conf);
    struct buf unused = {0};

    *m = (struct way_means){.conf = conf};
    if (conf->smtpd_launch)
        (void)listeners_parse(&m->listeners, str_of(conf->smtpd_dsns), arena, &unused);
    buf_done(&unused);
    m->dns = dns_open(&settings, error, error_size);
    if (m->dns != NULL && conf->mta_sts)
        m->sts = sts_new(conf->db_path, m->dns, conf->dns_timeout, conf->tls_ca_file, !stores);
    return m->dns != NULL;
}

void way_means_close(struct way_means *m)
{
    sts_free(&m->sts);
    dns_close(&m->dns);
}

static int64_t deadline_of(const struct way *w, const struct way_means *means)
{
    return clock_now() + clock_earlier(means->conf->dns_timeout, w->left);
}

static void spend(struct way *w, int64_t since)
{
    w->left -= clock_earlier(w->left, clock_now() - since);
}

static void add_host(struct way *w, const char *name, unsigned preference)
{
    w->hosts[w->count].name = name;
    w->hosts[w->count++].preference = preference;
}

/* The hop names its host; an address literal (RFC 5321 section 4.1.3) names an address. */
static void take_one_host(struct way *w, struct arena *arena)
{
    const char *host = w->hop->host;
    char text[ADDRESS_TEXT_SIZE];
    struct address address;

    if (w->hop->is_mx && domain_is_literal(str_of(host), &address)) {
        address_text(&address, text);
        host = arena_text(arena, str_of(text));
    }
    w->hosts = arena_new(arena, sizeof *w->hosts);
    add_host(w, host, 0);
}

static bool is_literal(const char *host)
{
    return host[0] == '[';
}

void way_find(struct way *w, const struct way_means *means, const struct hop *hop, struct arena *arena)
{
    int64_t began = clock_now();

    *w = (struct way){.status = status_ok(), .hop = hop, .is_mx = hop->is_mx && !is_literal(hop->host)};
    w->left = WAY_TIMEOUTS * means->conf->dns_timeout;
    if (!w->is_mx) {
        take_one_host(w, arena);
        return;
    }
    mx_find(&w->mx, means->dns, hop->host, means->conf->me, deadline_of(w, means), arena);
    spend(w, began);
    w->status = w->mx.status;
    if (!status_is_ok(&w->status))
        return;
    w->hosts = arena_new(arena, w->mx.count * sizeof *w->hosts);
    for (size_t i = 0; i < w->mx.count; i++)
        add_host(w, w->mx.hosts[i].name, w->mx.hosts[i].preference);
}

static bool is_of_this_host(const struct address *a)
{
    struct ifaddrs *list = NULL;
    bool found = address_is_loopback(a);

    if (found || getifaddrs(&list) != 0)
        return found;
    for (const struct ifaddrs *i = list; i != NULL && !found; i = i->ifa_next) {
        struct sockaddr_storage s = {0};
        struct address own;

        if (i->ifa_addr == NULL || (i->ifa_addr->sa_family != AF_INET && i->ifa_addr->sa_family != AF_INET6))
            continue;
        memcpy(&s, i->ifa_addr, i->ifa_addr->sa_family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6));
        address_from_socket(&own, &s);
        found = address_equal(&own, a);
    }
    freeifaddrs(list);
    return found;
}

/* Whoever connects there speaks to us. */
static bool is_ours(const struct listeners *listeners, const struct address *a)
{
    for (size_t i = 0; i < listeners->count; i++) {
        const struct address *own = &listeners->items[i].address;

        if (own->port == a->port && (address_equal(own, a) || (address_is_any(own) && own->family == a->family && is_of_this_host(a))))
            return true;
    }
    return false;
}

static bool has_ours(const struct listeners *listeners, const struct resolved *found)
{
    for (size_t i = 0; i < found->count; i++)
        if (is_ours(listeners, &found->addresses[i]))
            return true;
    return false;
}

/* A domain without MX and without address takes no mail and never will; a host that somebody wrote down for mail may come back. */
static struct status unreachable(const struct way *w, const struct way_host *host)
{
    const struct status *s = &host->found.status;

    if (!status_is_permanent(s))
        return *s;
    if (w->is_mx && w->mx.implicit)
        return status_make(550, "5.1.2", "The domain %s has neither an MX record nor an address", host->name);
    return status_make(451, "4.4.4", "%s: %s", host->name, s->text);
}

/* An MX record holds a name (RFC 1035 section 3.3.9): digits that look like an address are a mistake that nothing could be proven of. */
static bool is_misnamed(const struct way *w, const char *name)
{
    struct address unused;

    return w->is_mx && !w->mx.implicit && address_parse(&unused, str_of(name));
}

static void find_addresses(struct way *w, struct way_host *h, const struct way_means *means, int64_t deadline, struct arena *arena)
{
    int64_t began = clock_now();

    if (h->resolved)
        return;
    h->resolved = true;
    if (is_misnamed(w, h->name)) {
        h->found = (struct resolved){.canonical = h->name, .status = status_make(550, "5.1.2", "an address is no name of a mail host")};
        return;
    }
    resolve(means->dns, h->name, w->hop->port, means->conf->deliverd_ip_preference, deadline, arena, &h->found);
    spend(w, began);
}

/* Takes away all hosts from FIRST on. */
static void cut_at(struct way *w, size_t first, const char *me)
{
    w->count = first;
    if (first == 0)
        w->status = status_make(554, "5.4.6", "Mail for %s loops back to %s", w->hop->host, me);
}

/* Where nobody listens no mail goes in circles. */
static bool is_listening(const struct listeners *listeners, int port)
{
    for (size_t i = 0; i < listeners->count; i++)
        if (listeners->items[i].address.port == port)
            return true;
    return false;
}

/* Has the DNS look for all of them at once. */
static void prefetch(const struct way *w, size_t first, size_t end, const struct way_means *means)
{
    for (size_t i = first; i < end; i++) {
        dns_prefetch(means->dns, w->hosts[i].name, DNS_A);
        dns_prefetch(means->dns, w->hosts[i].name, DNS_AAAA);
    }
}

/* Who cannot be found so quickly is not us, and is looked for again when its turn comes. */
static bool has_ours_quickly(struct way *w, struct way_host *h, const struct way_means *means, int64_t deadline, struct arena *arena)
{
    find_addresses(w, h, means, deadline, arena);
    h->resolved = status_is_ok(&h->found.status) || clock_now() < deadline;
    return has_ours(&means->listeners, &h->found);
}

/* Which of several equal ones comes first is chance, whether we are one of them is not. */
static bool leads_back(struct way *w, size_t host, const struct way_means *means, struct arena *arena)
{
    int64_t deadline = clock_now() + clock_earlier(OTHERS_MS, means->conf->dns_timeout);
    size_t first = host, end = host + 1;
    bool ours = has_ours(&means->listeners, &w->hosts[host].found);

    if (!w->hop->is_mx || !is_listening(&means->listeners, w->hop->port))
        return false;
    while (first > 0 && w->hosts[first - 1].preference == w->hosts[host].preference)
        first--;
    while (end < w->count && w->hosts[end].preference == w->hosts[host].preference)
        end++;
    if (first == host)
        prefetch(w, host + 1, end, means);
    for (size_t i = host + 1; first == host && i < end && !ours; i++)
        ours = has_ours_quickly(w, &w->hosts[i], means, deadline, arena);
    if (ours)
        cut_at(w, first, means->conf->me);
    return ours;
}

static void find_sts(struct way *w, const struct way_means *means, struct arena *arena)
{
    if (!w->has_sts)
        sts_find(means->sts, w->hop->host, clock_now() + STS_MS, arena, &w->sts);
    w->has_sts = true;
}

/* A policy that was not had because we stop is no policy that is not there. */
static bool is_cut_short(const struct way *w)
{
    return stop_seen() && !w->sts.found && w->sts.trouble != STS_FINE;
}

static void protect(struct way *w, struct way_host *host, const struct way_means *means, struct arena *arena)
{
    int64_t began = clock_now();
    struct protection_question question = {.conf = means->conf,
                                           .dns = means->dns,
                                           .hop = w->hop,
                                           .domain = w->is_mx ? w->hop->host : NULL,
                                           .canonical = w->mx.canonical,
                                           .mx_secure = w->mx.secure,
                                           .host = host->name,
                                           .found = &host->found,
                                           .deadline = deadline_of(w, means)};

    protection_find(&host->protection, &question, arena);
    spend(w, began);
    if (w->is_mx && means->sts != NULL && protection_wants_sts(&host->protection)) {
        find_sts(w, means, arena);
        protection_add_sts(&host->protection, &w->sts, w->hop->host, host->name);
        if (is_cut_short(w))
            host->protection.status = status_make(451, "4.3.2", "Stopping, the MTA-STS policy was not fetched");
    }
    host->status = host->protection.status;
}

void way_look(struct way *w, size_t host, const struct way_means *means, struct arena *arena)
{
    struct way_host *h = &w->hosts[host];

    if (h->looked)
        return;
    h->looked = true;
    if (!h->resolved && w->left == 0) {
        h->status = status_make(451, "4.4.3", "%s was not looked for: the DNS took too long for the hosts before it", h->name);
        return;
    }
    find_addresses(w, h, means, deadline_of(w, means), arena);
    if (leads_back(w, host, means, arena))
        return;
    if (h->found.count == 0)
        h->status = unreachable(w, h);
    else
        protect(w, h, means, arena);
}

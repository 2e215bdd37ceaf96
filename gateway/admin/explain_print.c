#include "admin/explain_print.h"

#include "admin/listing.h"
#include "base/clock.h"
#include "base/json.h"

#include <stdio.h>
#include <string.h>

static void put_text(struct json *j, const char *name, const char *value)
{
    if (value != NULL)
        json_put_str(j, name, str_of(value));
    else
        json_put_null(j, name);
}

/* "code" and "status" say how it went, "reason" why. */
static void put_status(struct json *j, const struct status *s)
{
    char enhanced[STATUS_ENHANCED_SIZE];
    bool ok = status_is_ok(s);

    status_enhanced(s, enhanced);
    json_put_number(j, "code", ok ? 250 : s->code);
    json_put_str(j, "status", ok ? STR("2.0.0") : str_trim(str_of(enhanced)));
    put_text(j, "reason", ok ? NULL : s->text);
}

static void put_addresses(struct json *j, const struct resolved *found)
{
    struct json *list = json_new_list();
    char text[ADDRESS_TEXT_SIZE];

    for (size_t i = 0; i < found->count; i++) {
        address_text(&found->addresses[i], text);
        json_add_str(list, str_of(text));
    }
    json_put(j, "addresses", &list);
    json_put_bool(j, "secure", found->secure);
}

static void put_tls(struct json *j, const struct protection *p)
{
    struct json *tls = json_new_object(), *list = json_new_list();

    json_put_str(tls, "policy", str_of(tls_policy_name(p->policy)));
    json_put_str(tls, "origin", str_of(protection_origin_name(p->origin)));
    json_put_bool(tls, "from_first_byte", p->from_first_byte);
    json_put_bool(tls, "fallback", p->may_fall_back);
    json_put_str(tls, "dane", str_of(dane_state_name(p->dane)));
    put_text(tls, "tlsa_name", p->tlsa_name);
    for (size_t i = 0; i < p->tlsa_count; i++) {
        struct buf text = {0};

        dns_write_tlsa(&p->tlsa[i], &text);
        json_add_str(list, buf_str(&text));
        buf_done(&text);
    }
    json_put(tls, "tlsa", &list);
    json_put(j, "tls", &tls);
}

static struct json *make_host(const struct way_host *host)
{
    struct json *j = json_new_object();

    json_put_str(j, "name", str_of(host->name));
    json_put_number(j, "preference", host->preference);
    put_status(j, &host->status);
    put_addresses(j, &host->found);
    if (host->found.count > 0)
        put_tls(j, &host->protection);
    else
        json_put_null(j, "tls");
    return j;
}

static void put_sts(struct json *j, const struct way *w)
{
    struct json *sts, *list;
    char until[CLOCK_TEXT_SIZE];

    if (!w->has_sts) {
        json_put_null(j, "mta_sts");
        return;
    }
    sts = json_new_object();
    list = json_new_list();
    json_put_bool(sts, "found", w->sts.found);
    if (w->sts.found) {
        json_put_str(sts, "mode", str_of(sts_mode_name(w->sts.policy.mode)));
        json_put_str(sts, "id", str_of(w->sts.id));
        clock_text(w->sts.expires * 1000, until);
        json_put_str(sts, "expires", str_of(until));
        for (size_t i = 0; i < w->sts.policy.mx_count; i++)
            json_add_str(list, str_of(w->sts.policy.mx[i]));
    }
    json_put(sts, "mx", &list);
    put_text(sts, "trouble", w->sts.trouble != STS_FINE ? w->sts.reason : NULL);
    json_put(j, "mta_sts", &sts);
}

/* "rate": "100/minute", or null for as many as come. */
static void put_rate(struct json *j, const struct rate *rate)
{
    char text[RATE_TEXT_SIZE];

    rate_text(rate, text);
    put_text(j, "rate", rate->count > 0 ? text : NULL);
}

static const char *kind_of(const struct way *w)
{
    static const char *const kinds[] = {[HOP_SMTP] = "host", [HOP_LMTP] = "lmtp", [HOP_LDA] = "lda", [HOP_COMMAND] = "command"};

    return w->is_mx ? "mx" : kinds[w->hop->kind];
}

static struct json *make_hop(const struct way *w, const struct rate *rate)
{
    struct json *j = json_new_object(), *list = json_new_list();

    if (w->hop->route != 0)
        json_put_number(j, "route", w->hop->route);
    else
        json_put_null(j, "route");
    json_put_str(j, "kind", str_of(kind_of(w)));
    json_put_str(j, "host", str_of(w->hop->host));
    json_put_number(j, "port", w->hop->port);
    put_rate(j, rate);
    put_status(j, &w->status);
    json_put_bool(j, "secure", w->is_mx && w->mx.secure);
    json_put_bool(j, "implicit", w->is_mx && w->mx.implicit);
    put_sts(j, w);
    for (size_t i = 0; i < w->count; i++) {
        struct json *host = make_host(&w->hosts[i]);

        json_add(list, &host);
    }
    json_put(j, "hosts", &list);
    return j;
}

void explain_print_json(const struct explanation *e)
{
    struct json *j = json_new_object(), *list = json_new_list();
    struct buf text = {0};

    json_put_str(j, "from", str_of(e->from));
    json_put_str(j, "to", str_of(e->to));
    json_put_str(j, "domain", e->domain);
    put_rate(j, &e->domain_rate);
    explain_local_json(e->local, j);
    for (size_t i = 0; i < e->way_count; i++) {
        struct json *hop = make_hop(&e->ways[i], &e->rates[i]);

        json_add(list, &hop);
    }
    json_put(j, "hops", &list);
    put_status(j, &e->verdict);
    json_write(j, &text);
    json_free(&j);
    printf("%s\n", buf_text(&text));
    buf_done(&text);
}

static void quote(const struct status *s, char *to, size_t size)
{
    char enhanced[STATUS_ENHANCED_SIZE];

    status_enhanced(s, enhanced);
    snprintf(to, size, "%d %s%s", s->code, enhanced, s->text);
}

static const char *proven(bool secure)
{
    return secure ? "secure" : "insecure";
}

/* What is no host. */
static bool print_program(struct listing *l, const struct hop *hop)
{
    if (hop->kind == HOP_LDA)
        listing_line(l, "Local delivery: dovecot-lda (TMAIL_LOCAL_DELIVERY)");
    else if (hop->kind == HOP_COMMAND)
        listing_line(l, "Local delivery: the command of %s", hop->host);
    else if (hop->kind == HOP_LMTP && hop->route == 0)
        listing_line(l, "Local delivery: LMTP to %s%s (TMAIL_LMTP_ADDRESS)", hop->path != NULL ? "unix:" : "", hop->host);
    else if (hop->path != NULL)
        listing_line(l, "Route %lld: LMTP to unix:%s", (long long)hop->route, hop->path);
    else
        return false;
    return true;
}

static void print_hop_head(struct listing *l, const struct way *w)
{
    const struct hop *hop = w->hop;

    if (print_program(l, hop))
        return;
    if (hop->route != 0)
        listing_line(l, "Route %lld: %s%s, port %d", (long long)hop->route, w->is_mx ? "the MX of " : "", hop->host, hop->port);
    else
        listing_line(l, "No route: %s%s, port %d", w->is_mx ? "the MX of " : "the address ", hop->host, hop->port);
    if (w->is_mx && status_is_ok(&w->mx.status))
        listing_line(l, "  %s (%s)", w->mx.implicit ? "There is no MX record: the domain itself" : "MX records", proven(w->mx.secure));
}

static void print_sts(struct listing *l, const struct way *w)
{
    struct buf mx = {0};
    char until[CLOCK_TEXT_SIZE];

    if (!w->has_sts)
        return;
    for (size_t i = 0; w->sts.found && i < w->sts.policy.mx_count; i++)
        buf_print(&mx, "%s%s", i > 0 ? ", " : "", w->sts.policy.mx[i]);
    clock_text(w->sts.expires * 1000, until);
    if (w->sts.found)
        listing_line(l, "  MTA-STS: %s; until %s; %s", sts_mode_name(w->sts.policy.mode), until,
                     mx.length > 0 ? buf_text(&mx) : "no hosts");
    else
        listing_line(l, "  MTA-STS: no policy");
    if (w->sts.trouble != STS_FINE)
        listing_line(l, "  MTA-STS: %s", w->sts.reason);
    buf_done(&mx);
}

/* UNPROVEN: a name is verified that anybody could have put there. */
static void print_tls(struct listing *l, const struct protection *p, bool unproven)
{
    static const char *const origins[] = {[PROTECTION_CONFIGURATION] = "the configuration",
                                          [PROTECTION_ROUTE] = "the route",
                                          [PROTECTION_LMTP] = "TMAIL_LMTP_TLS",
                                          [PROTECTION_LOGIN] = "the route's login",
                                          [PROTECTION_DANE] = "DANE",
                                          [PROTECTION_STS] = "MTA-STS"};

    listing_line(l, "     TLS: %s by %s%s%s", tls_policy_name(p->policy), origins[p->origin],
                 p->from_first_byte ? ", from the first byte" : "", p->may_fall_back ? ", plain text where it fails" : "");
    if (unproven)
        listing_line(l, "     (The name comes from an MX record that nothing proves: who can forge that has a good certificate for it.)");
    if (p->tlsa_name != NULL)
        listing_line(l, "     TLSA at %s: %s", p->tlsa_name, dane_state_name(p->dane));
    for (size_t i = 0; i < p->tlsa_count; i++) {
        struct buf text = {0};

        dns_write_tlsa(&p->tlsa[i], &text);
        listing_line(l, "       %s", buf_text(&text));
        buf_done(&text);
    }
}

static bool is_unproven(const struct way *w, const struct protection *p)
{
    return w->is_mx && !w->mx.secure && p->policy == TLS_VERIFY && p->origin != PROTECTION_STS;
}

static void print_host(struct listing *l, const struct way *w, size_t number)
{
    const struct way_host *host = &w->hosts[number];
    struct buf addresses = {0};
    char text[ADDRESS_TEXT_SIZE], status[STATUS_QUOTED_SIZE];

    for (size_t i = 0; i < host->found.count; i++) {
        address_text(&host->found.addresses[i], text);
        buf_print(&addresses, "%s%s", i > 0 ? ", " : "", text);
    }
    if (w->is_mx)
        listing_line(l, "  %zu. %s, preference %u", number + 1, host->name, host->preference);
    else
        listing_line(l, "  %zu. %s", number + 1, host->name);
    if (host->found.count > 0) {
        listing_line(l, "     addresses: %s (%s)", buf_text(&addresses), proven(host->found.secure));
        print_tls(l, &host->protection, is_unproven(w, &host->protection));
    }
    quote(&host->status, status, sizeof status);
    if (!status_is_ok(&host->status))
        listing_line(l, "     not tried: %s", status);
    buf_done(&addresses);
}

static void print_rate(struct listing *l, const char *indent, const char *what, const struct rate *rate)
{
    char text[RATE_TEXT_SIZE];

    rate_text(rate, text);
    if (rate->count > 0)
        listing_line(l, "%sThis %s gets at most %s", indent, what, text);
}

static void print_way(struct listing *l, const struct way *w, const struct rate *rate)
{
    char status[STATUS_QUOTED_SIZE];

    print_hop_head(l, w);
    print_rate(l, "  ", "next hop", rate);
    print_sts(l, w);
    for (size_t i = 0; i < w->count; i++)
        print_host(l, w, i);
    quote(&w->status, status, sizeof status);
    if (!status_is_ok(&w->status))
        listing_line(l, "  %s", status);
}

void explain_print_text(const struct explanation *e)
{
    struct listing *l = listing_open(false);
    char status[STATUS_QUOTED_SIZE];

    listing_line(l, "From <%s> to <%s>", e->from, e->to);
    explain_local_text(e->local, l);
    print_rate(l, "", "destination", &e->domain_rate);
    for (size_t i = 0; i < e->way_count; i++)
        print_way(l, &e->ways[i], &e->rates[i]);
    quote(&e->verdict, status, sizeof status);
    if (status_is_ok(&e->verdict))
        listing_line(l, "It would be tried in this order.");
    else
        listing_line(l, "It would %s: %s", status_is_permanent(&e->verdict) ? "fail" : "wait", status);
    listing_close(&l);
}

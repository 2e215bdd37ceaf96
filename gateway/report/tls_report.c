#include "report/tls_report.h"

#include "base/crypto.h"
#include "base/hex.h"
#include "base/json.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

enum { UNIQUE_OCTETS = (TLS_REPORT_UNIQUE_SIZE - 1) / 2, TIME_SIZE = 64 };

/* RFC 8460 section 5.3: the submitter is the domain of the contact. */
static void find_submitter(struct tls_report *r, const char *me)
{
    const char *at = strrchr(r->contact, '@');

    if (at == NULL || !domain_normalize(str_of(at + 1), r->submitter))
        snprintf(r->submitter, sizeof r->submitter, "%s", me);
}

static void make_unique(struct tls_report *r, const char *me)
{
    unsigned char digest[CRYPTO_SHA256];
    struct buf all = {0};

    buf_print(&all, "%s %s %s", me, r->domain, r->day);
    crypto_sha256(buf_str(&all), digest);
    hex_write(digest, UNIQUE_OCTETS, r->unique);
    r->unique[TLS_REPORT_UNIQUE_SIZE - 1] = '\0';
    buf_done(&all);
}

bool tls_report_init(struct tls_report *r, struct str day, struct str domain, const char *me, const char *contact)
{
    struct address literal;
    int64_t begin;

    *r = (struct tls_report){.contact = contact};
    if (!tls_day_read(day, &begin) || !domain_normalize(domain, r->domain) || domain_is_literal(domain, &literal))
        return false;
    tls_day_text(begin, r->day);
    r->begin = begin / 1000;
    r->end = r->begin + TLS_DAY_MS / 1000 - 1;
    find_submitter(r, me);
    make_unique(r, me);
    snprintf(r->id, sizeof r->id, "%s.%s@%s", r->day, r->unique, me);
    return true;
}

void tls_report_file_name(const struct tls_report *r, struct buf *to)
{
    buf_print(to, "%s!%s!%lld!%lld!%s.json.gz", r->submitter, r->domain, (long long)r->begin, (long long)r->end, r->unique);
}

/* The rows under one policy, as they come. */
struct policy {
    struct buf type, text, mx;
    int64_t successes, failures;
    struct json *details; /* NULL: none */
};

struct making {
    struct tls_report *report;
    struct json *policies;
    struct policy policy;
    bool begun; /* a policy */
};

static void put_some(struct json *j, const char *name, struct str value)
{
    if (value.length > 0)
        json_put_str(j, name, value);
}

static void put_lines(struct json *j, const char *name, struct str lines)
{
    struct json *list;
    struct str line;

    if (lines.length == 0)
        return;
    list = json_new_list();
    while (str_cut(&lines, '\n', &line)) {
        if (str_ends(line, STR("\r")))
            line.length--;
        if (line.length > 0)
            json_add_str(list, line);
    }
    json_put(j, name, &list);
}

static struct json *describe_policy(const struct making *m)
{
    struct json *j = json_new_object();

    json_put_str(j, "policy-type", buf_str(&m->policy.type));
    put_lines(j, "policy-string", buf_str(&m->policy.text));
    json_put_str(j, "policy-domain", str_of(m->report->domain));
    put_lines(j, "mx-host", buf_str(&m->policy.mx));
    return j;
}

static struct json *sum_up(const struct policy *p)
{
    struct json *j = json_new_object();

    json_put_number(j, "total-successful-session-count", p->successes);
    json_put_number(j, "total-failure-session-count", p->failures);
    return j;
}

static void end_policy(struct making *m)
{
    struct json *entry, *policy, *summary;

    if (!m->begun)
        return;
    entry = json_new_object();
    policy = describe_policy(m);
    summary = sum_up(&m->policy);
    json_put(entry, "policy", &policy);
    json_put(entry, "summary", &summary);
    if (m->policy.details != NULL)
        json_put(entry, "failure-details", &m->policy.details);
    json_add(m->policies, &entry);
    m->report->successes += m->policy.successes;
    m->report->failures += m->policy.failures;
    buf_done(&m->policy.type);
    buf_done(&m->policy.text);
    buf_done(&m->policy.mx);
    m->policy = (struct policy){0};
    m->begun = false;
}

static void begin_policy(struct making *m, const struct tls_row *row)
{
    const struct policy *p = &m->policy;

    if (m->begun && str_equal(buf_str(&p->type), row->type) && str_equal(buf_str(&p->text), row->policy) && str_equal(buf_str(&p->mx), row->mx))
        return;
    end_policy(m);
    buf_add(&m->policy.type, row->type);
    buf_add(&m->policy.text, row->policy);
    buf_add(&m->policy.mx, row->mx);
    m->begun = true;
}

static void add_failure(struct policy *p, const struct tls_row *row)
{
    struct json *detail = json_new_object();

    json_put_str(detail, "result-type", row->failure);
    put_some(detail, "sending-mta-ip", row->local_ip);
    put_some(detail, "receiving-mx-hostname", row->mx_host);
    put_some(detail, "receiving-ip", row->peer_ip);
    json_put_number(detail, "failed-session-count", row->sessions);
    put_some(detail, "failure-reason-code", row->reason);
    if (p->details == NULL)
        p->details = json_new_list();
    json_add(p->details, &detail);
}

static void add_row(void *context, const struct tls_row *row)
{
    struct making *m = context;

    begin_policy(m, row);
    if (row->failure.length == 0) {
        m->policy.successes += row->sessions;
        return;
    }
    m->policy.failures += row->sessions;
    add_failure(&m->policy, row);
}

static void put_time(struct json *j, const char *name, int64_t seconds)
{
    time_t at = seconds;
    char text[TIME_SIZE] = "";
    struct tm tm;

    if (gmtime_r(&at, &tm) != NULL && strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
        text[0] = '\0';
    json_put_str(j, name, str_of(text));
}

static void write_all(const struct tls_report *r, struct json **policies, struct buf *to)
{
    struct json *report = json_new_object(), *range = json_new_object();

    put_time(range, "start-datetime", r->begin);
    put_time(range, "end-datetime", r->end);
    json_put_str(report, "organization-name", str_of(r->submitter));
    json_put(report, "date-range", &range);
    json_put_str(report, "contact-info", str_of(r->contact));
    json_put_str(report, "report-id", str_of(r->id));
    json_put(report, "policies", policies);
    json_write(report, to);
    json_free(&report);
}

struct status tls_report_write(struct tls_report *r, struct tables *t, struct buf *json)
{
    struct making m = {.report = r, .policies = json_new_list()};
    struct status s;
    bool any;

    r->successes = r->failures = 0;
    s = tls_rows_each(t, str_of(r->day), str_of(r->domain), add_row, &m);
    any = m.begun;
    end_policy(&m);
    if (status_is_ok(&s) && any)
        write_all(r, &m.policies, json);
    json_free(&m.policies);
    return s;
}

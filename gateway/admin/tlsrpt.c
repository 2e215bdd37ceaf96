#include "admin/change.h"
#include "admin/groups.h"
#include "admin/listing.h"
#include "conf/dns_settings.h"
#include "net/http.h"
#include "report/tls_report.h"
#include "report/tls_reporter.h"

#include <stdio.h>

static void print_sum(void *context, const struct tls_row_sum *sum)
{
    struct listing_rows *rows = context;

    rows->count++;
    listing_str(rows->listing, "day", sum->day);
    listing_str(rows->listing, "domain", sum->domain);
    listing_str(rows->listing, "policy", sum->type);
    listing_number(rows->listing, "successes", sum->successes);
    listing_number(rows->listing, "failures", sum->failures);
    listing_line(rows->listing, "%.*s - %.*s - Policy: %.*s - Successes: %lld - Failures: %lld", STR_ARG(sum->day), STR_ARG(sum->domain),
                 STR_ARG(sum->type), (long long)sum->successes, (long long)sum->failures);
    listing_end_row(rows->listing);
}

static struct status list(struct tables *t, struct listing_rows *rows)
{
    return tls_rows_sums(t, print_sum, rows);
}

static int run_list(struct invocation *i)
{
    return change_list(i, list, "Nothing is counted.");
}

/* Appends what would be sent; nothing where there is nothing. */
static struct status write_report(struct invocation *i, struct tables *t, struct str domain, struct buf *json)
{
    const char *wanted = invocation_value(i, "day");
    struct buf contact = {0};
    char newest[TLS_DAY_SIZE];
    struct tls_report report;
    struct status s = tls_rows_newest(t, domain, newest, sizeof newest);

    tls_reporter_contact(i->conf, &contact);
    if (status_is_ok(&s) && (wanted != NULL || newest[0] != '\0')) {
        if (tls_report_init(&report, str_of(wanted != NULL ? wanted : newest), domain, i->conf->me, buf_text(&contact)))
            s = tls_report_write(&report, t, json);
        else
            s = tables_refused("there are no reports on %.*s of such a day", STR_ARG(domain));
    }
    buf_done(&contact);
    return s;
}

/* The first word in normal form in TO (DOMAIN_SIZE bytes), "" without one. */
static bool read_domain(struct invocation *i, char *to)
{
    to[0] = '\0';
    if (i->word_count == 0 || domain_normalize(str_of(i->words[0]), to))
        return true;
    (void)invocation_fail(i, "%s is no domain", i->words[0]);
    return false;
}

static bool has_day(struct invocation *i)
{
    const char *day = invocation_value(i, "day");
    int64_t begin;

    if (day == NULL || tls_day_read(str_of(day), &begin))
        return true;
    (void)invocation_fail(i, "%s is no day (expected YYYY-MM-DD)", day);
    return false;
}

static int run_show(struct invocation *i)
{
    struct buf json = {0};
    char domain[DOMAIN_SIZE];
    struct tables *t;
    struct status s;
    int result = read_domain(i, domain) && has_day(i) ? change_open(i, &t) : EXIT_FAILED;

    if (result != EXIT_DONE)
        return result;
    s = write_report(i, t, str_of(domain), &json);
    if (status_is_ok(&s) && (puts(json.length > 0 ? buf_text(&json) : "nothing") < 0 || fflush(stdout) != 0))
        s = tables_refused("cannot write to standard output");
    buf_done(&json);
    return change_close(i, &t, &s);
}

/* What a sending tells, and to whom. */
struct telling {
    struct listing *listing;
    size_t count, failures;
};

static void print_news(void *context, const struct tls_report_news *news)
{
    static const char *const words[] = {
        [TLS_REPORT_QUEUED] = "mail is queued for ",
        [TLS_REPORT_POSTED] = "sent to ",
        [TLS_REPORT_NO_ADDRESS] = "no address for reports, dropped",
        [TLS_REPORT_LATER] = "later: ",
        [TLS_REPORT_GIVEN_UP] = "given up: ",
    };
    struct telling *telling = context;
    const bool failed = news->reason != NULL;

    telling->count++;
    telling->failures += failed;
    listing_line(telling->listing, "%s - %s - %s%s%s%s", news->day, news->domain, words[news->step], news->where,
                 failed && news->where[0] != '\0' ? ": " : "", failed ? news->reason : "");
    listing_end_row(telling->listing);
    /* The next one may take long, and an interruption loses no line of what is done. */
    fflush(stdout);
}

static int send_now(struct invocation *i, struct dns *dns, const char *domain)
{
    struct telling telling = {0};
    struct tables *t;
    struct status s;
    int result = change_open(i, &t);

    if (result != EXIT_DONE)
        return result;
    telling.listing = listing_open(false);
    s = tls_reporter_send(i->conf, dns, t, domain, print_news, &telling);
    if (status_is_ok(&s) && telling.count == 0)
        listing_line(telling.listing, "nothing");
    if (!listing_close(&telling.listing) && status_is_ok(&s))
        s = tables_refused("cannot write to standard output");
    result = change_close(i, &t, &s);
    return result == EXIT_DONE && telling.failures > 0 ? EXIT_AGAIN : result;
}

static int run_send(struct invocation *i)
{
    const struct dns_settings settings = conf_dns_settings(i->conf);
    char domain[DOMAIN_SIZE], error[1024];
    struct dns *dns;
    int result;

    if (!read_domain(i, domain))
        return EXIT_FAILED;
    if (!i->conf->tlsrpt)
        return invocation_fail(i, "TMAIL_TLSRPT is false: there are no reports");
    if (!http_start())
        return invocation_fail(i, "libcurl cannot be started");
    dns = dns_open(&settings, error, sizeof error);
    if (dns == NULL)
        return invocation_fail(i, "%s", error);
    result = send_now(i, dns, domain);
    dns_close(&dns);
    return result;
}

static const struct option_spec show_options[] = {
    {"day", NULL, "YYYY-MM-DD", "the day (UTC); without it the last one on which there was something to report"},
    CHANGE_OPTION_CREATE,
    {0},
};

static const struct command commands[] = {
    {.verb = "list", .listing = true, .options = change_options, .run = run_list,
     .help = "List what is counted and not reported yet: sessions by day (UTC), domain and the policy that was found."},
    {.verb = "show", .words = "DOMAIN", .words_min = 1, .words_max = 1, .options = show_options, .run = run_show,
     .help = "Print the report on a domain, JSON as it would be sent, or \"nothing\"."},
    {.verb = "send", .words = "[DOMAIN]", .words_max = 1, .options = change_options, .run = run_send,
     .help = "Send the reports of the days that are over now, all or those on a domain.  It prints what went where.  Without it they go out by"
             " themselves in the first hours of the next day.  Mail goes through the queue.  What cannot be sent is tried again later, for"
             " most of a day, and the exit status is 75.  Days that ended more than two days ago are dropped unsent."},
};

const struct command_group tlsrpt_group = {
    .noun = "tlsrpt",
    .help = "reports on TLS to the domains that ask for them (TMAIL_TLSRPT)",
    .commands = commands,
    .count = sizeof commands / sizeof commands[0],
};

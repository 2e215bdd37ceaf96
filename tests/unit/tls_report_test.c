#include "test.h"

#include "report/tls_report.h"

#include "tls_rows.h"

#define DAY "2026-11-20"

static struct tls_report report;

static bool init(const char *day, const char *domain)
{
    return tls_report_init(&report, str_of(day), str_of(domain), "mx.example.org", "tls@example.org");
}

static void a_day_and_a_domain_make_a_report(void)
{
    struct buf name = {0};
    char first[TLS_REPORT_ID_SIZE];

    check(init(DAY, "A.Example."));
    check_text(report.domain, "a.example");
    check_number(report.begin, 1795132800);
    check_number(report.end, 1795219199);
    check_text(report.submitter, "example.org");
    check_number(strlen(report.unique), 16);
    check(str_starts(str_of(report.id), STR(DAY ".")) && str_ends(str_of(report.id), STR("@mx.example.org")));
    tls_report_file_name(&report, &name);
    check(str_starts(buf_str(&name), STR("example.org!a.example!1795132800!1795219199!")));
    check(str_ends(buf_str(&name), STR(".json.gz")));
    buf_done(&name);
    snprintf(first, sizeof first, "%s", report.id);
    check(init(DAY, "a.example"));
    check_text(report.id, first);
    check(init(DAY, "b.example"));
    check(strcmp(report.id, first) != 0);
    check(init("2026-11-21", "a.example"));
    check(strcmp(report.id, first) != 0);
}

static void nothing_else_does(void)
{
    check(!init("2026-11-31", "a.example"));
    check(!init("", "a.example"));
    check(!init(DAY, ""));
    check(!init(DAY, "[192.0.2.1]"));
    check(!init(DAY, "a.example\r\nBcc: x@y.example"));
    check(!init(DAY, "a b"));
}

static void check_json(const char *text)
{
    struct buf json = {0}, wanted = {0};
    struct str rest = str_of(text), part;

    check_done(tls_report_write(&report, world.tables, &json));
    /* The id stands where the text has a $. */
    while (str_cut(&rest, '$', &part)) {
        buf_add(&wanted, part);
        buf_add_text(&wanted, rest.length > 0 ? report.id : "");
    }
    check_text(buf_text(&json), buf_text(&wanted));
    buf_done(&json);
    buf_done(&wanted);
}

#define HEAD "{\"organization-name\": \"example.org\", \"date-range\": {\"start-datetime\": \"2026-11-20T00:00:00Z\"," \
    " \"end-datetime\": \"2026-11-20T23:59:59Z\"}, \"contact-info\": \"tls@example.org\", \"report-id\": \"$\", \"policies\": ["

static void policies_and_failures_are_told(void)
{
    const struct tls_row rows[] = {
        {.type = STR("tlsa"), .policy = STR("3 1 1 0123\n2 1 1 4567"), .sessions = 5},
        {.type = STR("sts"), .policy = STR("version: STSv1\r\nmode: enforce\r\n"), .mx = STR("mx1.a.example\n*.a.example"),
         .failure = STR("certificate-expired"), .mx_host = STR("mx1.a.example"), .local_ip = STR("192.0.2.1"), .peer_ip = STR("2001:db8::1"),
         .reason = STR("a \"reason\"\x01\xff\xc3\xa9"), .sessions = 2},
        {.type = STR("tlsa"), .policy = STR("3 1 1 0123\n2 1 1 4567"), .failure = STR("tlsa-invalid"), .sessions = 1},
        {.type = STR("tlsa"), .policy = STR("3 1 1 0123"), .sessions = 7},
        {.type = STR("no-policy-found"), .sessions = 11},
    };

    world_open();
    for (size_t i = 0; i < TEST_COUNT(rows); i++) {
        struct tls_row row = rows[i];

        row.day = STR(DAY);
        row.domain = STR("a.example");
        add_row(&row);
    }
    add_success(DAY, "b.example");
    add_success("2026-11-19", "a.example");
    check(init(DAY, "a.example"));
    check_json(HEAD
               "{\"policy\": {\"policy-type\": \"no-policy-found\", \"policy-domain\": \"a.example\"},"
               " \"summary\": {\"total-successful-session-count\": 11, \"total-failure-session-count\": 0}}, "
               "{\"policy\": {\"policy-type\": \"sts\", \"policy-string\": [\"version: STSv1\", \"mode: enforce\"], \"policy-domain\": \"a.example\","
               " \"mx-host\": [\"mx1.a.example\", \"*.a.example\"]},"
               " \"summary\": {\"total-successful-session-count\": 0, \"total-failure-session-count\": 2},"
               " \"failure-details\": [{\"result-type\": \"certificate-expired\", \"sending-mta-ip\": \"192.0.2.1\","
               " \"receiving-mx-hostname\": \"mx1.a.example\", \"receiving-ip\": \"2001:db8::1\", \"failed-session-count\": 2,"
               " \"failure-reason-code\": \"a \\\"reason\\\"\\u0001\\uFFFD\\u00E9\"}]}, "
               "{\"policy\": {\"policy-type\": \"tlsa\", \"policy-string\": [\"3 1 1 0123\"], \"policy-domain\": \"a.example\"},"
               " \"summary\": {\"total-successful-session-count\": 7, \"total-failure-session-count\": 0}}, "
               "{\"policy\": {\"policy-type\": \"tlsa\", \"policy-string\": [\"3 1 1 0123\", \"2 1 1 4567\"], \"policy-domain\": \"a.example\"},"
               " \"summary\": {\"total-successful-session-count\": 5, \"total-failure-session-count\": 1},"
               " \"failure-details\": [{\"result-type\": \"tlsa-invalid\", \"failed-session-count\": 1}]}]}");
    check_number(report.successes, 23);
    check_number(report.failures, 3);
    world_close();
}

static void without_rows_there_is_none(void)
{
    world_open();
    check(init(DAY, "a.example"));
    check_json("");
    world_close();
}

static const struct test_case cases[] = {
    TEST_CASE(a_day_and_a_domain_make_a_report),
    TEST_CASE(nothing_else_does),
    TEST_CASE(policies_and_failures_are_told),
    TEST_CASE(without_rows_there_is_none),
};

int main(int argc, char **argv)
{
    return test_main(cases, TEST_COUNT(cases), argc, argv);
}

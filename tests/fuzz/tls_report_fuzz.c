/* What others' servers and zones bring into a TLS report: its JSON reads back as what was counted.  The input is texts, separated by NULs. */
#include "fuzz.h"

#include "base/gzip.h"
#include "report/tls_report.h"

#include <jansson.h>
#include <unistd.h>

enum { TEXTS = 7 };

static struct tables *tables;

/* A database of its own, never committed to, whose files have no name. */
static void open_tables(void)
{
    char path[256], error[512];
    const char *folder = getenv("TMPDIR");
    int fd;

    if (tables != NULL)
        return;
    snprintf(path, sizeof path - sizeof "-wal", "%s/tmail-fuzz-XXXXXX", folder != NULL ? folder : "/tmp");
    fd = mkstemp(path);
    fuzz_check(fd >= 0);
    close(fd);
    tables = tables_open(path, error, sizeof error);
    fuzz_check(tables != NULL);
    for (const char *const *end = (const char *const[]){"-wal", "-shm", NULL}; *end != NULL; end++) {
        char beside[sizeof path + 4];

        snprintf(beside, sizeof beside, "%s%s", path, *end);
        unlink(beside);
    }
    unlink(path);
}

/* TEXT as JSON can have it. */
static void clean(struct str text, struct buf *to)
{
    while (text.length > 0) {
        size_t length = str_character(text);

        buf_add(to, length > 0 ? str_part(text, 0, length) : STR("\xef\xbf\xbd"));
        text = str_from(text, length > 0 ? length : 1);
    }
}

static void check_member(const json_t *object, const char *name, struct str expected)
{
    const json_t *member = json_object_get(object, name);
    struct buf text = {0};

    clean(expected, &text);
    if (expected.length == 0)
        fuzz_check(member == NULL);
    else
        fuzz_check(json_is_string(member) && str_equal(buf_str(&text), (struct str){json_string_value(member), json_string_length(member)}));
    buf_done(&text);
}

static void check_lines(const json_t *list, struct str lines)
{
    struct str line;
    size_t count = 0;

    while (str_cut(&lines, '\n', &line)) {
        struct buf text = {0};
        const json_t *member;

        if (str_ends(line, STR("\r")))
            line.length--;
        if (line.length == 0)
            continue;
        member = json_array_get(list, count++);
        clean(line, &text);
        fuzz_check(json_is_string(member) && str_equal(buf_str(&text), (struct str){json_string_value(member), json_string_length(member)}));
        buf_done(&text);
    }
    fuzz_check(json_array_size(list) == count);
}

/* The one policy with the one failure of ROW. */
static void check_entry(const json_t *entry, const struct tls_row *row)
{
    const json_t *policy = json_object_get(entry, "policy"), *details = json_object_get(entry, "failure-details");
    const json_t *detail = json_array_get(details, 0);

    check_member(policy, "policy-type", row->type);
    check_lines(json_object_get(policy, "policy-string"), row->policy);
    check_lines(json_object_get(policy, "mx-host"), row->mx);
    fuzz_check(json_array_size(details) == 1);
    check_member(detail, "result-type", row->failure);
    check_member(detail, "receiving-mx-hostname", row->mx_host);
    check_member(detail, "sending-mta-ip", row->local_ip);
    check_member(detail, "failure-reason-code", row->reason);
    fuzz_check(json_integer_value(json_object_get(detail, "failed-session-count")) == 1);
}

static void check_report(const struct tls_report *report, struct str text, const struct tls_row *row)
{
    json_t *root = json_loadb(text.data, text.length, JSON_REJECT_DUPLICATES, NULL);
    const json_t *policies = json_object_get(root, "policies");

    fuzz_check(root != NULL && str_is_ascii(text) && !str_has_control(text));
    check_member(root, "report-id", str_of(report->id));
    fuzz_check(json_array_size(policies) == 1);
    check_entry(json_array_get(policies, 0), row);
    json_decref(root);
}

static void report_on(const struct tls_row *row)
{
    struct status s = tables_begin(tables);
    struct buf json = {0}, archive = {0};
    struct tls_report report;

    fuzz_check(status_is_ok(&s));
    s = tls_rows_add(tables, row);
    fuzz_check(status_is_ok(&s));
    fuzz_check(tls_report_init(&report, row->day, row->domain, "mx.example.org", "tls@example.org"));
    s = tls_report_write(&report, tables, &json);
    fuzz_check(status_is_ok(&s) && report.failures == 1 && report.successes == 0);
    check_report(&report, buf_str(&json), row);
    gzip_write(buf_str(&json), &archive);
    fuzz_check(archive.length > 18);
    (void)tables_end(tables, tables_refused("nothing stays"));
    buf_done(&json);
    buf_done(&archive);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct tls_row row = {.day = STR("2026-11-20"), .domain = STR("a.example"), .failure = STR("validation-failure"), .sessions = 1};
    struct str *const texts[TEXTS] = {&row.reason, &row.mx_host, &row.policy, &row.mx, &row.type, &row.local_ip, &row.failure};
    struct str rest = fuzz_input(data, size);

    open_tables();
    for (size_t i = 0; i < TEXTS && rest.length > 0; i++) {
        size_t end = str_find(rest, '\0', 0);

        *texts[i] = str_part(rest, 0, end);
        rest = str_from(rest, end + 1);
    }
    if (row.failure.length == 0)
        row.failure = STR("x");
    if (row.type.length == 0)
        row.type = STR("sts");
    report_on(&row);
    return 0;
}

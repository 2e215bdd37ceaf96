#include "test.h"

#include "report/tls_report_mail.h"

static struct arena arena;
static struct tls_report report;
static struct tls_report_addresses to;
static struct buf message;

static void setup(const char *domain, const char *contact, const char *rua)
{
    struct buf text = {0};
    struct str one;

    arena_init(&arena);
    buf_print(&text, "v=TLSRPTv1; rua=%s", rua);
    one = buf_str(&text);
    check(tls_report_address_read(&one, 1, &arena, &to));
    buf_done(&text);
    check(tls_report_init(&report, STR("2026-11-20"), str_of(domain), "mx.example.org", contact));
    report.successes = 12;
    report.failures = 3;
}

static void teardown(void)
{
    buf_done(&message);
    arena_done(&arena);
}

/* Lines end with CRLF and keep to the limit (RFC 5322 section 2.1.1); every byte is text. */
static void check_lines(void)
{
    struct str rest = buf_str(&message), line;

    check(str_ends(rest, STR("\r\n")));
    while (str_cut(&rest, '\n', &line)) {
        check(str_ends(line, STR("\r")));
        line.length--;
        check(line.length <= 998);
        for (size_t i = 0; i < line.length; i++)
            check(line.data[i] == '\t' || (unsigned char)line.data[i] >= ' ');
        if (rest.length == 0)
            break;
    }
}

static void it_is_a_report_of_the_kind(void)
{
    struct buf archive = {0}, wanted = {0};

    setup("a.example", "tls@example.org", "mailto:r@a.example,https://x.example/,mailto:%22x%20y%22@b.example");
    for (int i = 0; i < 100; i++)
        buf_add_byte(&archive, (char)i);
    tls_report_mail_write(&report, &to, buf_str(&archive), 1795300000000, &message);
    check_lines();
    buf_print(&wanted,
              "Date: Sat, 21 Nov 2026 22:26:40 +0000\r\nFrom: <tls@example.org>\r\nTo: <r@a.example>,\r\n <\"x y\"@b.example>\r\nMessage-ID: <%s>\r\n"
              "Subject: Report Domain: a.example\r\n Submitter: example.org\r\n Report-ID: <%s>\r\n"
              "TLS-Report-Domain: a.example\r\nTLS-Report-Submitter: example.org\r\nTLS-Required: No\r\nAuto-Submitted: auto-generated\r\n"
              "MIME-Version: 1.0\r\nContent-Type: multipart/report; report-type=\"tlsrpt\";\r\n boundary=\"=_tlsrpt_%s\"\r\n\r\n"
              "--=_tlsrpt_%s\r\nContent-Type: text/plain; charset=us-ascii\r\nContent-Transfer-Encoding: 7bit\r\n\r\n",
              report.id, report.id, report.unique, report.unique);
    check(str_starts(buf_str(&message), buf_str(&wanted)));
    if (test_failed())
        printf("# %s\n", buf_text(&message));
    check_has(buf_text(&message), "Sessions that went well: 12\r\nSessions that failed: 3\r\n");
    buf_clear(&wanted);
    buf_print(&wanted,
              "\r\n--=_tlsrpt_%s\r\nContent-Type: application/tlsrpt+gzip\r\nContent-Transfer-Encoding: base64\r\n"
              "Content-Disposition: attachment;\r\n filename=\"example.org!a.example!1795132800!1795219199!%s.json.gz\"\r\n\r\n"
              "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCUmJygpKissLS4vMDEyMzQ1Njc4\r\n"
              "OTo7PD0+P0BBQkNERUZHSElKS0xNTk9QUVJTVFVWV1hZWltcXV5fYGFiYw==\r\n--=_tlsrpt_%s--\r\n",
              report.unique, report.unique, report.unique);
    check(str_ends(buf_str(&message), buf_str(&wanted)));
    buf_done(&archive);
    buf_done(&wanted);
    teardown();
}

static void long_names_break_no_line(void)
{
    struct buf domain = {0}, contact = {0}, rua = {0};

    for (int i = 0; i < 4; i++)
        buf_print(&domain, "%sabcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefgh%d", i > 0 ? "." : "", i);
    buf_print(&contact, "%064d@%.*s", 0, STR_ARG(str_part(buf_str(&domain), 0, 180)));
    buf_print(&rua, "mailto:%064d@%.*s", 0, STR_ARG(str_part(buf_str(&domain), 0, 180)));
    setup(buf_text(&domain), buf_text(&contact), buf_text(&rua));
    tls_report_mail_write(&report, &to, STR("x"), 0, &message);
    check_lines();
    buf_done(&domain);
    buf_done(&contact);
    buf_done(&rua);
    teardown();
}

static void the_envelope_asks_for_nothing_back(void)
{
    struct envelope e;

    setup("a.example", "tls@example.org", "mailto:r@a.example,mailto:s@B.example");
    tls_report_mail_address(&report, &to, 1795300000000, &arena, &e);
    check_number(e.sender.length, 0);
    check(e.id > 0 && e.session.length > 0 && e.tls_optional && !e.smtputf8 && !e.auth);
    check_number(e.arrived, 1795300000000);
    check_number(e.recipient_count, 2);
    if (!test_failed()) {
        check_str(e.recipients->address, STR("r@a.example"));
        check_str(e.recipients->next->address, STR("s@b.example"));
        check_str(e.recipients->next->domain, STR("b.example"));
        check_number(e.recipients->notify, NOTIFY_NEVER);
    }
    teardown();
}

static void a_contact_beyond_ascii_needs_smtputf8(void)
{
    struct envelope e;

    setup("a.example", "\xc3\xbc@example.org", "mailto:r@a.example");
    tls_report_mail_address(&report, &to, 0, &arena, &e);
    check(e.smtputf8);
    teardown();
}

static const struct test_case cases[] = {
    TEST_CASE(it_is_a_report_of_the_kind),
    TEST_CASE(long_names_break_no_line),
    TEST_CASE(the_envelope_asks_for_nothing_back),
    TEST_CASE(a_contact_beyond_ascii_needs_smtputf8),
};

int main(int argc, char **argv)
{
    return test_main(cases, TEST_COUNT(cases), argc, argv);
}

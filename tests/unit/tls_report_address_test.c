#include "test.h"

#include "report/tls_report_address.h"

#include "base/buf.h"

/* What TEXTS, separated by `|`, ask for: `a@b https://…`, in this order; "" for nothing. */
static const char *asked(const char *texts)
{
    static struct buf words;
    struct tls_report_addresses found;
    struct str list[10], rest = str_of(texts);
    struct arena arena = {0};
    size_t count = 0;
    bool any;

    while (count < TEST_COUNT(list) && str_cut(&rest, '|', &list[count]))
        count++;
    any = tls_report_address_read(list, count, &arena, &found);
    buf_clear(&words);
    for (size_t i = 0; i < found.mail_count; i++)
        buf_print(&words, "%s%.*s", words.length > 0 ? " " : "", STR_ARG(found.mail[i].address));
    for (size_t i = 0; i < found.https_count; i++)
        buf_print(&words, "%s%s", words.length > 0 ? " " : "", found.https[i]);
    check_number(any, words.length > 0);
    arena_done(&arena);
    return buf_text(&words);
}

static const struct {
    const char *texts, *asked;
} rows[] = {
    {"v=TLSRPTv1; rua=mailto:a@b.example", "a@b.example"},
    {"v=TLSRPTv1;rua=mailto:a@b.example;", "a@b.example"},
    {"v=TLSRPTv1 \t;\t rua=mailto:a@b.example ; ", "a@b.example"},
    {"v=TLSRPTv1; rua=https://r.example/v1/tlsrpt?x=y", "https://r.example/v1/tlsrpt?x=y"},
    {"v=TLSRPTv1; rua=mailto:a@b.example,https://r.example , mailto:c@d.example", "a@b.example c@d.example https://r.example"},
    {"v=TLSRPTv1; rua=MAILTO:a@B.Example,HTTPS://r.example", "a@b.example HTTPS://r.example"},
    /* each once */
    {"v=TLSRPTv1; rua=mailto:a@b.example,mailto:a@B.EXAMPLE,https://r.example/,https://r.example/", "a@b.example https://r.example/"},
    {"v=TLSRPTv1; rua=mailto:a@b.example; rua=mailto:c@b.example", "a@b.example c@b.example"},
    {"v=TLSRPTv1; rua=https://r.example:8443/x", "https://r.example:8443/x"},
    {"v=TLSRPTv1; rua=https://1.r4.example.", "https://1.r4.example."},
    /* what is not known is passed over */
    {"v=TLSRPTv1; x=y; rua=mailto:a@b.example; Z.9=https://z.example", "a@b.example"},
    {"v=TLSRPTv1; rua=ftp://x.example,http://x.example/,mailto:a@b.example,x", "a@b.example"},
    {"v=TLSRPTv1; RUA=mailto:a@b.example", ""},
    {"v=TLSRPTv1; rua =mailto:a@b.example", ""},
    /* percent-encoding (RFC 6068) */
    {"v=TLSRPTv1; rua=mailto:a%21b@b.example", "a!b@b.example"},
    {"v=TLSRPTv1; rua=mailto:%22a%2Cb%3B%22@b.example", "\"a,b;\"@b.example"},
    {"v=TLSRPTv1; rua=mailto:a%2Cb@b.example", ""},
    {"v=TLSRPTv1; rua=mailto:a%40x@b.example", ""},
    {"v=TLSRPTv1; rua=mailto:%22a%40x%22@b.example", "\"a@x\"@b.example"},
    {"v=TLSRPTv1; rua=mailto:a@b.example?subject=x%0d%0aBcc:y@z.example", "a@b.example"},
    {"v=TLSRPTv1; rua=mailto:a%0d%0ab@b.example", ""},
    {"v=TLSRPTv1; rua=mailto:%22a%0d%0aX: y%22@b.example", ""},
    {"v=TLSRPTv1; rua=mailto:a%00@b.example", ""},
    {"v=TLSRPTv1; rua=mailto:a%2@b.example", ""},
    {"v=TLSRPTv1; rua=mailto:a%zz@b.example", ""},
    {"v=TLSRPTv1; rua=mailto:a@b.example%", ""},
    {"v=TLSRPTv1; rua=mailto:%c3%bc@b.example,mailto:a@b.example", "a@b.example"},
    {"v=TLSRPTv1; rua=mailto:\xc3\xbc@b.example,mailto:a@b%c3%bc.example", ""},
    {"v=TLSRPTv1; rua=mailto:%ff@b.example", ""},
    /* no addresses of mail that reports go to */
    {"v=TLSRPTv1; rua=mailto:", ""},
    {"v=TLSRPTv1; rua=mailto:postmaster", ""},
    {"v=TLSRPTv1; rua=mailto:@b.example", ""},
    {"v=TLSRPTv1; rua=mailto:a@[192.0.2.1]", ""},
    {"v=TLSRPTv1; rua=mailto:a@b.example%3e%3cc@d.example", ""},
    {"v=TLSRPTv1; rua=mailto:a@b.example%20NOTIFY=NEVER", ""},
    /* no URLs */
    {"v=TLSRPTv1; rua=https://", ""},
    {"v=TLSRPTv1; rua=https:///x", ""},
    {"v=TLSRPTv1; rua=https://:443/x", ""},
    {"v=TLSRPTv1; rua=https://u:p@r.example/", ""},
    {"v=TLSRPTv1; rua=https://r.example/a b", ""},
    {"v=TLSRPTv1; rua=https://r.example/\x7f", ""},
    {"v=TLSRPTv1; rua=https://r.example/\xc3\xbc", ""},
    {"v=TLSRPTv1; rua=https://r.example/#x", ""},
    {"v=TLSRPTv1; rua=https://r.example/\r\nX: y", ""},
    /* hosts without a name that others give */
    {"v=TLSRPTv1; rua=https://[2001:db8::1]:8443/x", ""},
    {"v=TLSRPTv1; rua=https://[192.0.2.1]/", ""},
    {"v=TLSRPTv1; rua=https://192.0.2.1/", ""},
    {"v=TLSRPTv1; rua=https://192.0.2.1.:443/", ""},
    {"v=TLSRPTv1; rua=https://3221225985?x", ""},
    {"v=TLSRPTv1; rua=https://192.0x201", ""},
    {"v=TLSRPTv1; rua=https://192%2e0.2.1/", ""},
    {"v=TLSRPTv1; rua=https://LocalHost:8443/", ""},
    {"v=TLSRPTv1; rua=https://a.localhost./", ""},
    /* no records, or too many */
    {"", ""},
    {"v=TLSRPTv1", ""},
    {"v=TLSRPTv1;", ""},
    {"v=TLSRPTv1; rua=", ""},
    {"v=TLSRPTv1; rua=,,", ""},
    {"v=TLSRPTv1 rua=mailto:a@b.example", ""},
    {"v=TLSRPTv12; rua=mailto:a@b.example", ""},
    {"v=TLSRPTv2; rua=mailto:a@b.example", ""},
    {"V=TLSRPTV1; rua=mailto:a@b.example", ""},
    {" v=TLSRPTv1; rua=mailto:a@b.example", ""},
    {"rua=mailto:a@b.example; v=TLSRPTv1;", ""},
    {"v=TLSRPTv1; rua=mailto:a@b.example|v=TLSRPTv1; rua=mailto:a@b.example", ""},
    {"v=TLSRPTv1; rua=mailto:a@b.example|v=TLSRPTv1;", ""},
    {"v=spf1 -all|v=TLSRPTv1; rua=mailto:a@b.example|x", "a@b.example"},
    {"v=TLSRPTv2; rua=mailto:c@b.example|v=TLSRPTv1; rua=mailto:a@b.example", "a@b.example"},
};

static void records_are_read_as_the_rfc_says(void)
{
    for (size_t i = 0; i < TEST_COUNT(rows); i++)
        if (!check_text(asked(rows[i].texts), rows[i].asked))
            printf("#   in:        %s\n", rows[i].texts);
}

static void many_addresses_are_cut_off(void)
{
    struct buf text = {0};
    struct tls_report_addresses found;
    struct arena arena = {0};
    struct str one;

    buf_add_text(&text, "v=TLSRPTv1; rua=mailto:first@b.example");
    for (int i = 0; i < 1000; i++)
        buf_print(&text, ",mailto:a%d@b.example,https://r.example/%d", i, i);
    one = buf_str(&text);
    check(tls_report_address_read(&one, 1, &arena, &found));
    check_number(found.mail_count, TLS_REPORT_ADDRESSES_MOST);
    check_number(found.https_count, TLS_REPORT_ADDRESSES_MOST);
    check_str(found.mail[0].address, STR("first@b.example"));
    buf_clear(&text);
    buf_add_text(&text, "v=TLSRPTv1; rua=https://r.example/");
    for (int i = 0; i < TLS_REPORT_URL_MOST; i++)
        buf_add_byte(&text, 'x');
    one = buf_str(&text);
    check(!tls_report_address_read(&one, 1, &arena, &found));
    buf_done(&text);
    arena_done(&arena);
}

static const struct test_case cases[] = {
    TEST_CASE(records_are_read_as_the_rfc_says),
    TEST_CASE(many_addresses_are_cut_off),
};

int main(int argc, char **argv)
{
    return test_main(cases, TEST_COUNT(cases), argc, argv);
}

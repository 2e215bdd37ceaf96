/* TXT records that say where TLS reports go (RFC 8460 section 3), a line each, and the mail that such a report is. */
#include "fuzz.h"

#include "report/tls_report_mail.h"

static void check_mail(const struct tls_report_addresses *found)
{
    for (size_t i = 0; i < found->mail_count; i++) {
        struct arena arena = {0};
        struct path again;

        fuzz_check(!str_has_control(found->mail[i].address) && found->mail[i].host.data[0] != '[');
        fuzz_check(path_parse_address(&again, found->mail[i].address, &arena) == PATH_OK);
        fuzz_check(str_equal(again.host, found->mail[i].host) && str_equal(again.local, found->mail[i].local));
        arena_done(&arena);
    }
}

static void check_https(const struct tls_report_addresses *found)
{
    for (size_t i = 0; i < found->https_count; i++) {
        struct str url = str_of(found->https[i]);

        fuzz_check(str_starts_nocase(url, STR("https://")) && url.length > 8 && url.length <= TLS_REPORT_URL_MOST);
        fuzz_check(str_is_ascii(url) && !str_has_control(url) && !str_has(url, ' ') && !str_has(url, '"') && !str_has(url, ';'));
    }
}

/* The header says what it should whatever the addresses are. */
static void check_message(const struct tls_report_addresses *found)
{
    static const char *const names[] = {"Date:", "From:", "To:", "Message-ID:", "Subject:", "TLS-Report-Domain:", "TLS-Report-Submitter:",
                                        "TLS-Required:", "Auto-Submitted:", "MIME-Version:", "Content-Type:"};
    struct tls_report report;
    struct buf message = {0};
    struct str rest, line;
    size_t name = 0;

    fuzz_check(tls_report_init(&report, STR("2026-11-20"), STR("a.example"), "mx.example.org", "tls@example.org"));
    tls_report_mail_write(&report, found, STR("archive"), 0, &message);
    rest = buf_str(&message);
    while (str_cut(&rest, '\n', &line) && !str_equal(line, STR("\r"))) {
        fuzz_check(line.length <= 999 && str_ends(line, STR("\r")));
        if (line.data[0] == ' ')
            continue;
        fuzz_check(name < sizeof names / sizeof names[0] && str_starts(line, str_of(names[name])));
        name++;
    }
    fuzz_check(name == sizeof names / sizeof names[0]);
    buf_done(&message);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    enum { RECORDS = 4 };
    struct tls_report_addresses found;
    struct str texts[RECORDS], rest = fuzz_input(data, size);
    char *copies[RECORDS];
    struct arena arena = {0};
    size_t count = 0;

    while (count < RECORDS && str_cut(&rest, '\n', &texts[count])) {
        copies[count] = fuzz_exact(texts[count]);
        texts[count].data = copies[count];
        count++;
    }
    fuzz_check(tls_report_address_read(texts, count, &arena, &found) == (found.mail_count + found.https_count > 0));
    fuzz_check(found.mail_count <= TLS_REPORT_ADDRESSES_MOST && found.https_count <= TLS_REPORT_ADDRESSES_MOST);
    while (count > 0)
        free(copies[--count]);
    check_mail(&found);
    check_https(&found);
    if (found.mail_count > 0)
        check_message(&found);
    arena_done(&arena);
    return 0;
}

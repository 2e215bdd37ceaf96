#include "report/tls_report_mail.h"

#include "base/base64.h"
#include "base/clock.h"
#include "message/id.h"

enum { BASE64_LINE = 76 }; /* RFC 2045 section 6.8 */

/* `=_` stands in no base64 (RFC 2046 section 5.1.1, RFC 2045 section 6.7). */
#define BOUNDARY_START "=_tlsrpt_"

static void write_addresses(const struct tls_report_addresses *to, struct buf *message)
{
    for (size_t i = 0; i < to->mail_count; i++)
        buf_print(message, "%s<%.*s>%s\r\n", i == 0 ? "To: " : " ", STR_ARG(to->mail[i].address), i + 1 < to->mail_count ? "," : "");
}

/* Names that are long stand alone in their line; none is near its limit (RFC 5322 section 2.1.1). */
static void write_header(const struct tls_report *r, const struct tls_report_addresses *to, int64_t now, struct buf *message)
{
    char date[CLOCK_DATE_SIZE];

    clock_date(now, date);
    buf_print(message, "Date: %s\r\nFrom: <%s>\r\n", date, r->contact);
    write_addresses(to, message);
    buf_print(message, "Message-ID: <%s>\r\n", r->id);
    buf_print(message, "Subject: Report Domain: %s\r\n Submitter: %s\r\n Report-ID: <%s>\r\n", r->domain, r->submitter, r->id);
    buf_print(message, "TLS-Report-Domain: %s\r\nTLS-Report-Submitter: %s\r\n", r->domain, r->submitter);
    buf_add_text(message, "TLS-Required: No\r\nAuto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\n");
    buf_print(message, "Content-Type: multipart/report; report-type=\"tlsrpt\";\r\n boundary=\"" BOUNDARY_START "%s\"\r\n\r\n", r->unique);
}

static void begin_part(const struct tls_report *r, struct buf *message)
{
    buf_print(message, "--" BOUNDARY_START "%s\r\n", r->unique);
}

static void write_words(const struct tls_report *r, struct buf *message)
{
    buf_add_text(message, "Content-Type: text/plain; charset=us-ascii\r\nContent-Transfer-Encoding: 7bit\r\n\r\n");
    buf_print(message, "This is an aggregate report (RFC 8460) on TLS with the mail servers of\r\n%s\r\nfrom\r\n%s\r\nfor %s (UTC).\r\n\r\n",
              r->domain, r->submitter, r->day);
    buf_print(message, "Sessions that went well: %lld\r\nSessions that failed: %lld\r\n\r\n", (long long)r->successes, (long long)r->failures);
    buf_add_text(message, "The attached file is made for programs.\r\n");
}

static void write_file(const struct tls_report *r, struct str archive, struct buf *message)
{
    struct buf text = {0};
    struct str rest;

    buf_add_text(message, "Content-Type: application/tlsrpt+gzip\r\nContent-Transfer-Encoding: base64\r\n"
                          "Content-Disposition: attachment;\r\n filename=\"");
    tls_report_file_name(r, message);
    buf_add_text(message, "\"\r\n\r\n");
    base64_encode(archive, &text);
    for (rest = buf_str(&text); rest.length > 0; rest = str_from(rest, rest.length < BASE64_LINE ? rest.length : BASE64_LINE)) {
        buf_add(message, str_part(rest, 0, BASE64_LINE));
        buf_add_text(message, "\r\n");
    }
    buf_done(&text);
}

void tls_report_mail_write(const struct tls_report *r, const struct tls_report_addresses *to, struct str archive, int64_t now,
                           struct buf *message)
{
    write_header(r, to, now, message);
    begin_part(r, message);
    write_words(r, message);
    begin_part(r, message);
    write_file(r, archive, message);
    buf_print(message, "--" BOUNDARY_START "%s--\r\n", r->unique);
}

void tls_report_mail_address(const struct tls_report *r, const struct tls_report_addresses *to, int64_t now, struct arena *arena, struct envelope *e)
{
    const struct rcpt_params params = {.notify = NOTIFY_NEVER};
    char session[SESSION_ID_SIZE];

    envelope_init(e, arena);
    e->id = queue_id_new();
    e->arrived = now;
    session_id_new(session);
    e->session = arena_str(arena, str_of(session));
    e->tls_optional = true;
    e->smtputf8 = !str_is_ascii(str_of(r->contact));
    for (size_t i = 0; i < to->mail_count; i++)
        envelope_add(e, &to->mail[i], &params);
}

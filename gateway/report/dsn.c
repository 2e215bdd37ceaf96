#include "report/dsn.h"

#include "base/clock.h"
#include "message/id.h"
#include "report/dsn_facts.h"
#include "report/dsn_original.h"
#include "report/dsn_status.h"
#include "report/mime.h"
#include "report/template.h"

#include <stdio.h>

enum { BOUNDARY_SIZE = 64 };

struct report {
    const struct dsn *dsn;
    struct dsn_original original;
    char boundary[BOUNDARY_SIZE];
    bool utf8, eight_bit;
    struct buf subject, text;
    struct str language;
};

/* It does not occur in the parts: the original is older than the letters, which nobody can guess, and the gateway does not write them
 * anywhere else. */
static void make_boundary(struct report *report)
{
    char id[QUEUE_ID_SIZE], letters[SESSION_ID_SIZE];

    queue_id_text(report->dsn->id, id);
    session_id_new(letters);
    snprintf(report->boundary, sizeof report->boundary, "=_tmail_%s_%s", id, letters);
}

bool dsn_returns_content(const struct dsn *d)
{
    return d->recipients != NULL && dsn_first_action(d) == DSN_FAILED && d->original->ret != RET_HDRS && d->size <= d->conf->bounce_size;
}

static void put_date(const struct report *report, struct buf *to)
{
    char date[CLOCK_DATE_SIZE];

    clock_date(report->dsn->now, date);
    mime_field(to, "Date", str_of(date), false);
}

static void put_mailbox(struct buf *to, const char *name, const char *display, struct str address, bool utf8)
{
    struct buf text = {0};

    buf_print(&text, "%s<%.*s>", display, STR_ARG(address));
    mime_exact_field(to, name, buf_str(&text), utf8);
    buf_done(&text);
}

static void put_from(const struct report *report, struct buf *to)
{
    struct buf address = {0};

    buf_print(&address, "MAILER-DAEMON@%s", report->dsn->conf->me);
    put_mailbox(to, "From", "Mail Delivery System ", buf_str(&address), false);
    buf_done(&address);
}

static void put_ids(const struct report *report, struct buf *to)
{
    struct str of_original = buf_str(&report->original.message_id);
    char id[QUEUE_ID_SIZE];

    queue_id_text(report->dsn->id, id);
    buf_print(to, "Message-ID: <%s@%s>\r\n", id, report->dsn->conf->me);
    mime_exact_field(to, "In-Reply-To", of_original, false);
    mime_exact_field(to, "References", of_original, false);
}

static void put_header(const struct report *report, struct buf *to)
{
    put_date(report, to);
    put_from(report, to);
    put_mailbox(to, "To", "", report->dsn->to, report->utf8);
    mime_unstructured(to, "Subject", buf_str(&report->subject), report->utf8);
    put_ids(report, to);
    buf_add_text(to, "Auto-Submitted: auto-replied\r\nMIME-Version: 1.0\r\n");
    if (report->eight_bit)
        buf_add_text(to, "Content-Transfer-Encoding: 8bit\r\n");
    buf_print(to, "Content-Type: multipart/report; report-type=delivery-status;\r\n boundary=\"%s\"\r\n", report->boundary);
}

/* The line end before a boundary is the boundary's (RFC 2046 section 5.1.1). */
static void put_boundary(const struct report *report, struct buf *to)
{
    buf_print(to, "\r\n--%s\r\n", report->boundary);
}

static void put_text(const struct report *report, struct buf *to)
{
    struct str text = buf_str(&report->text);
    bool ascii = str_is_ascii(text), quoted = !mime_lines_fit(text) || (!ascii && !report->eight_bit);

    buf_print(to, "Content-Description: Notification\r\nContent-Type: text/plain; charset=%s\r\n", ascii ? "us-ascii" : "utf-8");
    mime_field(to, "Content-Language", report->language, false);
    buf_print(to, "Content-Transfer-Encoding: %s\r\n\r\n", quoted ? "quoted-printable" : ascii ? "7bit" : "8bit");
    if (quoted)
        mime_quoted_printable(text, to);
    else
        buf_add(to, text);
}

static void flush(struct buf *from, struct body *to)
{
    body_append(to, buf_str(from));
    buf_clear(from);
}

static void write_status(const struct report *report, struct buf *text, struct body *message)
{
    buf_print(text, "Content-Description: Delivery report\r\nContent-Type: %s\r\nContent-Transfer-Encoding: %s\r\n\r\n",
              report->utf8 ? "message/global-delivery-status" : "message/delivery-status", report->utf8 ? "8bit" : "7bit");
    dsn_status_message(report->dsn, report->utf8, text);
    for (const struct dsn_recipient *r = report->dsn->recipients; r != NULL; r = r->next) {
        dsn_status_recipient(r, report->utf8, text);
        flush(text, message);
    }
}

static void write_parts(const struct report *report, struct body *message)
{
    struct buf text = {0};

    put_header(report, &text);
    put_boundary(report, &text);
    put_text(report, &text);
    put_boundary(report, &text);
    write_status(report, &text, message);
    put_boundary(report, &text);
    flush(&text, message);
    dsn_original_write(&report->original, report->dsn, message);
    buf_print(&text, "\r\n--%s--\r\n", report->boundary);
    flush(&text, message);
    buf_done(&text);
}

static void fill(struct report *report, const struct bounce_template *t)
{
    const struct dsn *d = report->dsn;
    struct template_scene scene;

    dsn_original_read(&report->original, d);
    make_boundary(report);
    report->utf8 = d->original->smtputf8 || !str_is_ascii(d->to);
    report->eight_bit = report->utf8 || report->original.eight_bit;
    template_scene_init(&scene, d, buf_str(&report->original.subject), report->original.whole);
    template_subject(t, &scene, &report->subject);
    template_text(t, &scene, &report->text);
    report->language = template_language(t);
}

void dsn_write(const struct dsn *d, struct body *message, bool *utf8, bool *eight_bit)
{
    struct bounce_template *t = template_open(d->conf->bounce_template);
    struct report report = {.dsn = d};

    fill(&report, t);
    write_parts(&report, message);
    *utf8 = report.utf8;
    *eight_bit = report.eight_bit;
    dsn_original_done(&report.original);
    buf_done(&report.subject);
    buf_done(&report.text);
    template_free(&t);
}

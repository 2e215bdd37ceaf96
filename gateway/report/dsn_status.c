#include "report/dsn_status.h"

#include "base/clock.h"
#include "message/id.h"
#include "report/dsn_facts.h"
#include "report/mime.h"

static void put_date(struct buf *to, const char *name, int64_t wall)
{
    char date[CLOCK_DATE_SIZE];

    if (wall <= 0)
        return;
    clock_date(wall, date);
    mime_field(to, name, str_of(date), false);
}

/* RFC 3464 section 2.1.2: a type, a semicolon, a value. */
static void put_typed(struct buf *to, const char *name, struct str type, struct str value, bool utf8)
{
    struct buf text = {0};

    buf_print(&text, "%.*s; %.*s", STR_ARG(type), STR_ARG(value));
    mime_exact_field(to, name, buf_str(&text), utf8);
    buf_done(&text);
}

/* The code point of a well-formed character of LENGTH bytes. */
static unsigned code_point(struct str character)
{
    static const unsigned char masks[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
    unsigned point = (unsigned char)character.data[0] & masks[character.length];

    for (size_t i = 1; i < character.length; i++)
        point = point << 6 | ((unsigned char)character.data[i] & 0x3f);
    return point;
}

/* RFC 6533 section 3: utf-8-addr-xtext. */
static void add_addr_xtext(struct str address, struct buf *to)
{
    while (address.length > 0) {
        size_t length = str_character(address);
        struct str character = str_part(address, 0, length > 0 ? length : 1);
        char c = character.data[0];

        if (length == 0 || str_has_control(character))
            buf_add_byte(to, '?');
        else if (length > 1 || c == ' ' || c == '\\' || c == '+' || c == '=')
            buf_print(to, "\\x{%02X}", code_point(character));
        else
            buf_add_byte(to, c);
        address = str_from(address, character.length);
    }
}

static void put_address(struct buf *to, const char *name, struct str type, struct str address, bool utf8)
{
    struct buf encoded = {0};

    if (str_is_ascii(address) || utf8) {
        put_typed(to, name, type, address, utf8);
    } else {
        add_addr_xtext(address, &encoded);
        put_typed(to, name, type, buf_str(&encoded), utf8);
        buf_done(&encoded);
    }
}

void dsn_status_message(const struct dsn *d, bool utf8, struct buf *to)
{
    struct buf envid = {0};
    char id[QUEUE_ID_SIZE];

    if (dsn_envid(d, &envid))
        mime_exact_field(to, "Original-Envelope-Id", buf_str(&envid), utf8);
    buf_done(&envid);
    put_typed(to, "Reporting-MTA", STR("dns"), str_of(d->conf->me), utf8);
    queue_id_text(d->original->id, id);
    mime_field(to, "X-Tmail-Queue-Id", str_of(id), utf8);
    put_date(to, "Arrival-Date", d->original->arrived);
}

static void put_original_recipient(const struct dsn_recipient *r, bool utf8, struct buf *to)
{
    struct buf address = {0};
    struct str type;

    if (dsn_orcpt(r, &type, &address))
        put_address(to, "Original-Recipient", type, buf_str(&address), utf8);
    buf_done(&address);
}

static void put_diagnostic(const struct dsn_recipient *r, bool utf8, struct buf *to)
{
    struct str reason = dsn_reason(r);
    struct buf text = {0};

    if (r->from_peer && r->code > 0)
        buf_print(&text, "smtp; %d %.*s%s%.*s", r->code, STR_ARG(r->enhanced), r->enhanced.length > 0 ? " " : "", STR_ARG(reason));
    else if (reason.length > 0)
        buf_print(&text, "x-tmail; %.*s", STR_ARG(reason));
    mime_field(to, "Diagnostic-Code", buf_str(&text), utf8);
    buf_done(&text);
}

void dsn_status_recipient(const struct dsn_recipient *r, bool utf8, struct buf *to)
{
    char status[DSN_STATUS_SIZE];

    buf_add_text(to, "\r\n");
    put_original_recipient(r, utf8, to);
    put_address(to, "Final-Recipient", str_is_ascii(r->address) ? STR("rfc822") : STR("utf-8"), r->address, utf8);
    mime_field(to, "Action", str_of(dsn_action_name(r->action)), utf8);
    dsn_status_code(r, status);
    mime_field(to, "Status", str_of(status), utf8);
    if (dsn_host(r).length > 0)
        put_typed(to, "Remote-MTA", STR("dns"), dsn_host(r), utf8);
    put_diagnostic(r, utf8, to);
    put_date(to, "Last-Attempt-Date", r->tried);
    if (r->action == DSN_DELAYED)
        put_date(to, "Will-Retry-Until", r->until);
}

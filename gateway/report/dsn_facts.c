#include "report/dsn_facts.h"

#include "base/hex.h"
#include "smtp/xtext.h"

#include <stdio.h>

const char *dsn_action_name(enum dsn_action action)
{
    static const char *const names[DSN_ACTIONS] = {"failed", "delayed", "delivered", "relayed"};

    return names[action];
}

enum dsn_action dsn_first_action(const struct dsn *d)
{
    enum dsn_action first = DSN_RELAYED;

    for (const struct dsn_recipient *r = d->recipients; r != NULL; r = r->next)
        if (r->action < first)
            first = r->action;
    return first;
}

static int class_of(const struct dsn_recipient *r)
{
    static const int classes[DSN_ACTIONS] = {5, 4, 2, 2};

    return r->action == DSN_FAILED && r->code >= 400 && r->code < 500 ? 4 : classes[r->action];
}

void dsn_status_code(const struct dsn_recipient *r, char *to)
{
    struct status s = {0};
    int class = class_of(r);
    size_t length = status_parse_enhanced(r->enhanced, &s);
    bool given_up = r->action == DSN_FAILED && r->code < 500 && (s.class == 4 || s.class == 5);

    if (length > 0 && length == r->enhanced.length && (s.class == class || given_up))
        snprintf(to, DSN_STATUS_SIZE, "%d.%d.%d", s.class % 10, s.subject % 1000, s.detail % 1000);
    else
        snprintf(to, DSN_STATUS_SIZE, "%d.0.0", class);
}

struct str dsn_reason(const struct dsn_recipient *r)
{
    struct str reason = str_trim(r->reason);
    char code[16];

    if (!r->from_peer || r->code <= 0)
        return reason;
    snprintf(code, sizeof code, "%d ", r->code);
    if (str_starts(reason, str_of(code)))
        reason = str_trim(str_from(reason, 4));
    if (r->enhanced.length > 0 && str_starts(reason, r->enhanced))
        reason = str_trim(str_from(reason, r->enhanced.length));
    return reason;
}

struct str dsn_host(const struct dsn_recipient *r)
{
    size_t bracket = str_find(r->host, '[', 0), end = str_find(r->host, ']', bracket);

    if (bracket > 0)
        return str_part(r->host, 0, bracket);
    return end < r->host.length ? str_part(r->host, 0, end + 1) : STR("");
}

static bool is_printable(struct str s)
{
    return str_is_ascii(s) && !str_has_control(s) && str_trim(s).length > 0;
}

/* Appends what TEXT stands for. */
static void decode_xtext(struct str text, struct buf *to)
{
    for (size_t i = 0; i < text.length; i++) {
        unsigned char byte;

        if (text.data[i] == '+' && hex_read(str_part(text, i + 1, 2), &byte, 1)) {
            buf_add_byte(to, (char)byte);
            i += 2;
        } else {
            buf_add_byte(to, text.data[i]);
        }
    }
}

bool dsn_envid(const struct dsn *d, struct buf *to)
{
    struct buf decoded = {0};
    bool ok;

    if (xtext_is_envid(d->original->envid))
        decode_xtext(d->original->envid, &decoded);
    ok = is_printable(buf_str(&decoded));
    if (ok)
        buf_add(to, buf_str(&decoded));
    buf_done(&decoded);
    return ok;
}

bool dsn_orcpt(const struct dsn_recipient *r, struct str *type, struct buf *address)
{
    struct str rest = r->orcpt;
    struct buf decoded = {0};
    bool ok = xtext_is_orcpt(r->orcpt, true) && str_cut(&rest, ';', type);

    if (ok)
        decode_xtext(rest, &decoded);
    if (ok && str_equal_nocase(*type, STR("utf-8")))
        ok = str_is_utf8(buf_str(&decoded)) && !str_has_control(buf_str(&decoded));
    else
        ok = ok && is_printable(buf_str(&decoded));
    if (ok)
        buf_add(address, buf_str(&decoded));
    buf_done(&decoded);
    return ok;
}

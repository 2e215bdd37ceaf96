#include "message/mailboxes.h"

#include "base/buf.h"

enum { WORD_MAX = 2 * PATH_MAX_OCTETS };

/* What is read of one mailbox: all words outside brackets, which are the address when no brackets follow, or what stands in brackets. */
struct reading {
    struct str text;
    size_t at;
    bool bracketed; /* < and > have been seen */
    bool grouped;   /* within a group */
    bool gap;       /* white space or a comment stands behind what is in `address` */
    bool split;     /* it stood between two words */
    bool has_at;    /* an @ without quotes is in `address` */
    bool name_has_at; /* and in `display` */
    struct buf address, display; /* display: the words in front of < */
};

/* White space may stand around dots and at signs (RFC 5322 section 4.4), nowhere else in an address. */
static void begin_piece(struct reading *r, char first)
{
    char last = r->address.length > 0 ? r->address.data[r->address.length - 1] : '.';

    r->split = r->split || (r->gap && last != '.' && last != '@' && first != '.' && first != '@');
    r->gap = false;
}

/* Moves behind the quoted string that begins here; false when it does not end. */
static bool pass_quoted(struct reading *r)
{
    size_t start = r->at++;

    for (; r->at < r->text.length; r->at++) {
        char c = r->text.data[r->at];

        if (c == '\\')
            r->at++;
        else if (c == '"')
            break;
    }
    if (r->at >= r->text.length)
        return false;
    r->at++;
    begin_piece(r, '"');
    buf_add(&r->address, str_part(r->text, start, r->at - start));
    return true;
}

static bool pass_comment(struct reading *r)
{
    int depth = 0;

    r->gap = true;
    for (; r->at < r->text.length; r->at++) {
        char c = r->text.data[r->at];

        if (c == '\\')
            r->at++;
        else if (c == '(')
            depth++;
        else if (c == ')' && --depth == 0) {
            r->at++;
            return true;
        }
    }
    return false;
}

static void add_byte(struct reading *r, char c)
{
    if (c == ' ' || c == '\t') {
        r->gap = true;
        return;
    }
    begin_piece(r, c);
    r->has_at = r->has_at || c == '@';
    buf_add_byte(&r->address, c);
}

/* The rest of what stands in < >, without comments and white space around it. */
static bool pass_brackets(struct reading *r)
{
    if (r->bracketed)
        return false;
    r->bracketed = true;
    buf_add(&r->display, buf_str(&r->address));
    r->name_has_at = r->has_at;
    if (r->address.full)
        buf_clear(&r->display); /* no address is that long */
    buf_clear(&r->address);
    r->gap = r->split = r->has_at = false;
    for (r->at++; r->at < r->text.length;) {
        char c = r->text.data[r->at];

        if (c == '>') {
            r->at++;
            return true;
        }
        if (c == '"' ? !pass_quoted(r) : c == '(' ? !pass_comment(r) : c == '<')
            return false;
        if (c == '"' || c == '(')
            continue;
        add_byte(r, c);
        r->at++;
    }
    return false;
}

static bool pass_literal(struct reading *r)
{
    size_t end = str_find(r->text, ']', r->at);

    if (end == r->text.length)
        return false;
    begin_piece(r, '[');
    buf_add(&r->address, str_part(r->text, r->at, end + 1 - r->at));
    r->at = end + 1;
    return true;
}

/* One token outside brackets; behind brackets only comments and white space may stand. */
static bool pass_token(struct reading *r)
{
    char c = r->text.data[r->at];

    if (c == '(')
        return pass_comment(r);
    if (c == '<')
        return pass_brackets(r);
    if (r->bracketed && c != ' ' && c != '\t')
        return false;
    if (c == '"')
        return pass_quoted(r);
    if (c == '[')
        return pass_literal(r);
    add_byte(r, c);
    r->at++;
    return c != '>' && c != ')';
}

/* A quoted string is a name, whatever stands in it; words without quotes that look like an address are what some programs show as the
 * sender. */
static bool is_honest_display(const struct reading *r)
{
    return !r->name_has_at || str_equal_nocase(buf_str(&r->display), buf_str(&r->address));
}

static void forget_mailbox(struct reading *r)
{
    buf_clear(&r->address);
    buf_clear(&r->display);
    r->bracketed = r->gap = r->split = r->has_at = r->name_has_at = false;
}

static bool end_mailbox(struct reading *r, struct mailboxes *m, struct arena *arena)
{
    struct str address = buf_str(&r->address);
    bool ok = true;

    if (r->bracketed || address.length > 0) {
        ok = !r->split && m->count < MAILBOXES_MAX && !r->address.full && is_honest_display(r) &&
             path_parse_address(&m->items[m->count], arena_str(arena, address), arena) == PATH_OK;
        m->count++;
    }
    forget_mailbox(r);
    return ok;
}

static bool begin_group(struct reading *r)
{
    bool ok = !r->grouped && !r->bracketed && !r->has_at && r->address.length > 0;

    r->grouped = true;
    forget_mailbox(r);
    return ok;
}

static bool end_group(struct reading *r, struct mailboxes *m, struct arena *arena)
{
    bool ok = r->grouped;

    r->grouped = false;
    return end_mailbox(r, m, arena) && ok;
}

static bool read_next(struct reading *r, struct mailboxes *m, struct arena *arena)
{
    char c = r->text.data[r->at];

    if (c != ',' && c != '\n' && c != ';' && c != ':')
        return pass_token(r);
    r->at++;
    if (c == ':')
        return begin_group(r);
    return c == ';' ? end_group(r, m, arena) : end_mailbox(r, m, arena);
}

bool mailboxes_read(struct mailboxes *m, struct str text, struct arena *arena)
{
    struct reading r = {.text = text, .address = {.limit = WORD_MAX}, .display = {.limit = WORD_MAX}};
    bool ok = true;

    m->count = 0;
    while (ok && r.at < text.length)
        ok = read_next(&r, m, arena);
    ok = ok && end_mailbox(&r, m, arena) && m->count > 0 && !r.grouped;
    buf_done(&r.address);
    buf_done(&r.display);
    return ok;
}

/* A report on mail, of which everything comes from others.  First octet: flags, then texts that end with NUL, then the original. */
#include "fuzz.h"

#include "base/memory.h"
#include "report/dsn.h"

enum { TEXTS = 7, LINE_MAX_OCTETS = 998 };

static void read_all(struct body *b, struct buf *to)
{
    char *scratch = memory_new(BODY_PIECE);
    struct str piece;

    for (int64_t offset = 0; (piece = body_piece(b, offset, scratch)).length > 0; offset += (int64_t)piece.length)
        buf_add(to, piece);
    memory_free(&scratch);
}

static size_t count(struct str text, struct str what)
{
    size_t found = 0;

    for (size_t i = 0; i + what.length <= text.length; i++)
        found += str_starts(str_from(text, i), what);
    return found;
}

/* All but an original that came back whole, which is as it was. */
static void check_lines(struct str text, bool eight_bit)
{
    struct str line;

    while (text.length > 0 && str_cut(&text, '\n', &line)) {
        fuzz_check(str_ends(line, STR("\r")) && line.length <= LINE_MAX_OCTETS + 1);
        fuzz_check(eight_bit || str_is_ascii(line));
        for (size_t i = 0; i + 1 < line.length; i++)
            fuzz_check(line.data[i] != '\r' && line.data[i] != '\0');
    }
}

/* It ends the header. */
static struct str boundary_of(struct str text)
{
    size_t end = 0, start;

    while (end < text.length && !str_starts(str_from(text, end), STR("\"\r\n\r\n")))
        end++;
    for (start = end; start > 0 && text.data[start - 1] != '"';)
        start--;
    return str_part(text, start, end - start);
}

static void check_report(const struct dsn *d, struct str text, struct str original, bool eight_bit)
{
    struct str boundary = boundary_of(text);
    size_t whole_length;
    struct buf whole = {0}, title = {0};

    buf_print(&title, "--%.*s\r\nContent-Description: Your message\r\n", STR_ARG(boundary));
    buf_print(&whole, "\r\n\r\n");
    buf_add(&whole, original);
    buf_print(&whole, "\r\n--%.*s--\r\n", STR_ARG(boundary));
    whole_length = str_contains(text, buf_str(&title)) ? whole.length : 0;
    fuzz_check(str_starts(boundary, STR("=_tmail_")) && count(text, boundary) == 5);
    fuzz_check(whole_length == 0 || str_ends(text, buf_str(&whole)));
    check_lines(str_part(text, 0, text.length - (whole_length > 0 ? whole_length - 2 : 0)), eight_bit);
    fuzz_check(eight_bit || str_is_ascii(text));
    fuzz_check(d->recipients->action == DSN_FAILED || whole_length == 0);
    buf_done(&whole);
    buf_done(&title);
}

static void report_on(struct dsn *d, struct envelope *e, struct str original)
{
    struct body content, message;
    struct buf text = {0};
    bool utf8, eight_bit;

    body_init(&content, "/tmp");
    body_init(&message, "/tmp");
    body_append(&content, original);
    d->original = e;
    d->content = &content;
    d->size = content.size;
    dsn_write(d, &message, &utf8, &eight_bit);
    fuzz_check(message.error == 0 && (eight_bit || !utf8));
    read_all(&message, &text);
    check_report(d, buf_str(&text), original, eight_bit);
    buf_done(&text);
    body_done(&message);
    body_done(&content);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct conf conf = {.me = "mx.example.org", .bounce_template = "", .bounce_size = 50 << 10};
    struct envelope e = {.id = 1, .arrived = 1795200000000};
    struct dsn_recipient r = {.code = 550, .tried = 1795300000000, .until = 1795300000000};
    struct dsn d = {.conf = &conf, .recipients = &r, .id = 2, .now = 1795300000000};
    struct str *const texts[TEXTS] = {&r.reason, &r.address, &r.orcpt, &r.host, &r.enhanced, &e.envid, &d.to};
    struct str input, rest;
    char *exact;

    if (size < 1)
        return 0;
    input = fuzz_input(data + 1, size - 1);
    exact = fuzz_exact(input);
    rest = (struct str){exact, input.length};
    for (size_t i = 0; i < TEXTS; i++) {
        size_t end = str_find(rest, '\0', 0);

        *texts[i] = str_part(rest, 0, end);
        rest = str_from(rest, end < rest.length ? end + 1 : end);
    }
    r.action = (enum dsn_action)(data[0] & 3);
    r.from_peer = (data[0] & 4) != 0;
    e.smtputf8 = (data[0] & 8) != 0;
    e.ret = (data[0] & 16) != 0 ? RET_HDRS : RET_NONE;
    e.sender = d.to;
    report_on(&d, &e, rest);
    free(exact);
    return 0;
}

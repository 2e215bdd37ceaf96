#include "message/handover.h"

#include "base/memory.h"
#include "message/field.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { NAME_HELD = 64, WRITTEN_AT_ONCE = 64 << 10 };

static const char dropped[] = "return-path";

enum place { LINE_START, NAME, FIELD, DROPPED, BODY };

struct writer {
    struct body copy;
    struct buf out; /* on its way there */
    enum place place;
    bool pending_cr;
    size_t column; /* octets of the line, in the header */
    bool empty;    /* the line begins with its end */
    size_t held_length;
    char held[NAME_HELD]; /* of a line that may be a field to be dropped */
};

static void flush(struct writer *w)
{
    body_append(&w->copy, buf_str(&w->out));
    buf_clear(&w->out);
}

/* CR LF is LF; any other CR stays. */
static void write_text(struct writer *w, struct str text)
{
    while (text.length > 0) {
        size_t plain = str_find(text, '\r', 0);

        if (w->pending_cr && text.data[0] != '\n')
            buf_add_byte(&w->out, '\r');
        w->pending_cr = plain < text.length;
        buf_add(&w->out, str_part(text, 0, plain));
        text = str_from(text, plain + 1);
    }
    if (w->out.length >= WRITTEN_AT_ONCE)
        flush(w);
}

static void write_held(struct writer *w, enum place next)
{
    struct str held = {w->held, w->held_length};

    w->held_length = 0;
    w->place = next;
    write_text(w, held);
}

static void take_name(struct writer *w, char c)
{
    const size_t at = w->held_length, whole = sizeof dropped - 1;
    bool blank = c == ' ' || c == '\t'; /* RFC 5322 section 4.5: once allowed before the colon */

    w->held[w->held_length++] = c;
    if (at >= whole && c == ':') {
        w->held_length = 0;
        w->place = DROPPED;
    } else if (w->held_length == NAME_HELD || (at < whole ? ascii_lower(c) != dropped[at] : !blank)) {
        write_held(w, FIELD);
    }
}

static void start_line(struct writer *w, char c)
{
    bool folded = c == ' ' || c == '\t';

    w->empty = c == '\r' || c == '\n';
    if (!folded || w->place != DROPPED)
        w->place = folded ? FIELD : NAME;
}

static void take_octet(struct writer *w, char c)
{
    if (w->column == 0)
        start_line(w, c);
    w->column++;
    if (w->place == NAME)
        take_name(w, c);
    else if (w->place == FIELD)
        write_text(w, (struct str){&c, 1});
    if (c != '\n')
        return;
    if (w->place == NAME)
        write_held(w, FIELD);
    if (w->empty && w->column <= 2)
        w->place = BODY;
    w->column = 0;
}

static void take(struct writer *w, struct str piece)
{
    size_t at = 0;

    while (at < piece.length && w->place != BODY)
        take_octet(w, piece.data[at++]);
    write_text(w, str_from(piece, at));
}

static void write_content(struct writer *w, const struct handover *h)
{
    char *scratch;
    struct str piece;

    if (h->body == NULL) {
        take(w, h->content);
        return;
    }
    scratch = memory_new(BODY_PIECE);
    for (int64_t at = 0; (piece = body_piece(h->body, at, scratch)).length > 0; at += (int64_t)piece.length)
        take(w, piece);
    memory_free(&scratch);
}

static void end(struct writer *w)
{
    if (w->place == NAME)
        write_held(w, FIELD);
    if (w->pending_cr)
        buf_add_byte(&w->out, '\r');
    flush(w);
}

static bool write_all(int fd, struct str bytes)
{
    while (bytes.length > 0) {
        ssize_t n = write(fd, bytes.data, bytes.length);

        if (n < 0 && errno != EINTR)
            return false;
        bytes = str_from(bytes, n > 0 ? (size_t)n : 0);
    }
    return true;
}

/* Its descriptor is taken away from it, or made, where it has none. */
static int take_descriptor(struct body *copy)
{
    int fd = copy->fd;

    copy->fd = -1;
    if (fd < 0) {
        fd = memfd_create("message", MFD_CLOEXEC);
        if (fd < 0 || !write_all(fd, buf_str(&copy->memory)))
            copy->error = errno;
    }
    if (fd >= 0 && copy->error == 0 && lseek(fd, 0, SEEK_SET) != 0)
        copy->error = errno;
    if (copy->error == 0)
        return fd;
    if (fd >= 0)
        close(fd);
    return -1;
}

int handover_open(const struct handover *h, struct status *why)
{
    struct writer w = {.place = LINE_START};
    int fd = -1;

    body_init(&w.copy, h->tempdir);
    write_text(&w, h->fields);
    write_content(&w, h);
    end(&w);
    if (h->body == NULL || !body_failed(h->body, why))
        fd = take_descriptor(&w.copy);
    body_failed(&w.copy, why);
    buf_done(&w.out);
    body_done(&w.copy);
    return fd;
}

static void scan(struct field_scan *f, const struct handover *h)
{
    char *scratch;
    struct str piece;

    if (h->body == NULL) {
        field_scan(f, str_part(h->content, 0, HANDOVER_LOOK));
        return;
    }
    scratch = memory_new(BODY_PIECE);
    for (int64_t at = 0; at < HANDOVER_LOOK && !f->ended; at += (int64_t)piece.length) {
        piece = body_piece(h->body, at, scratch);
        if (piece.length == 0)
            break;
        field_scan(f, piece);
    }
    memory_free(&scratch);
}

static bool says(struct str text, struct str value)
{
    text = str_trim(text);
    if (str_equal_nocase(text, value))
        return true;
    if (!str_ends(text, STR(">")))
        return false;
    text.length--;
    return text.length > value.length && text.data[text.length - value.length - 1] == '<' &&
           str_equal_nocase(str_from(text, text.length - value.length), value);
}

bool handover_has_field(const struct handover *h, const char *name, struct str value)
{
    struct field_scan f;
    struct str rest, text;
    bool found = false;

    field_scan_init(&f, name);
    scan(&f, h);
    rest = buf_str(&f.text);
    while (!found && str_cut(&rest, '\n', &text))
        found = says(text, value);
    field_scan_done(&f);
    return found;
}

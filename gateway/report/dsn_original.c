#include "report/dsn_original.h"

#include "base/memory.h"
#include "message/field.h"
#include "report/mime.h"

#include <string.h>

enum { MESSAGE_ID_MAX = 250 };

/* What a scan of the content found. */
struct soundness {
    bool sound;
    bool eight_bit;
    char last; /* of the piece before */
};

static void scan_piece(struct soundness *s, struct str piece)
{
    for (size_t i = 0; i < piece.length; i++) {
        char c = piece.data[i];

        if (c == '\0' || (c == '\n') != (s->last == '\r'))
            s->sound = false;
        s->eight_bit |= (unsigned char)c > 127;
        s->last = c;
    }
}

static void scan_content(struct soundness *s, struct body *content)
{
    char *scratch = memory_new(BODY_PIECE);
    int64_t offset = 0;

    *s = (struct soundness){.sound = true};
    while (offset < content->size) {
        struct str piece = body_piece(content, offset, scratch);

        if (piece.length == 0)
            break;
        scan_piece(s, piece);
        offset += (int64_t)piece.length;
    }
    s->sound = s->sound && s->last != '\r' && offset == content->size;
    memory_free(&scratch);
}

/* The octets of LINE that fit into a line, whole characters if it is UTF-8. */
static struct str cut_line(struct str line)
{
    size_t length = MIME_LINE_MAX;

    if (line.length <= length)
        return line;
    while (length > MIME_LINE_MAX - 4 && ((unsigned char)line.data[length] & 0xc0) == 0x80)
        length--;
    return str_part(line, 0, length);
}

static void add_line(struct buf *to, struct str line, bool utf8)
{
    line = cut_line(line);
    for (size_t length; line.length > 0; line = str_from(line, length)) {
        bool is_byte = (length = utf8 ? str_character(line) : 1) == 0;
        char c = line.data[0];

        if (is_byte)
            length = 1;
        if (is_byte || c == '\0' || c == '\r')
            buf_add_byte(to, '?');
        else
            buf_add(to, str_part(line, 0, length));
    }
    buf_add_text(to, "\r\n");
}

/* RFC 5322 section 2.2, 3.6.8; white space before the colon was once allowed (section 4.5). */
static bool is_field_start(struct str line)
{
    struct str name = str_trim(str_part(line, 0, str_find(line, ':', 0)));

    if (!str_has(line, ':') || name.length == 0)
        return false;
    for (size_t i = 0; i < name.length; i++)
        if (name.data[i] <= ' ' || name.data[i] >= 127)
            return false;
    return true;
}

/* The lines of CONTENT up to the first that belongs to no field. */
static void take_header(struct buf *header, struct str content, bool utf8)
{
    struct str line;

    while (content.length > 0 && str_cut(&content, '\n', &line)) {
        bool folded = line.length > 0 && (line.data[0] == ' ' || line.data[0] == '\t') && header->length > 0;

        if (str_ends(line, STR("\r")))
            line.length--;
        if (str_trim(line).length == 0 || (!folded && !is_field_start(line)))
            break;
        add_line(header, line, utf8);
    }
}

/* The start of the content; a line that the bound cuts is left out. */
static struct str whole_lines(struct str piece, bool is_all)
{
    size_t length = piece.length;

    while (!is_all && length > 0 && piece.data[length - 1] != '\n')
        length--;
    return str_part(piece, 0, length);
}

static void read_header(struct dsn_original *o, const struct dsn *d)
{
    char *scratch = memory_new(BODY_PIECE);
    struct str piece = body_piece(d->content, 0, scratch);

    take_header(&o->header, whole_lines(piece, piece.length < BODY_PIECE), d->original->smtputf8);
    memory_free(&scratch);
}

/* The body of the first field called NAME. */
static void read_field(const struct dsn_original *o, const char *name, struct buf *to)
{
    struct field_scan f;
    struct str text;

    field_scan_init(&f, name);
    field_scan(&f, buf_str(&o->header));
    text = buf_str(&f.text);
    buf_add(to, str_trim(str_part(text, 0, str_find(text, '\n', 0))));
    field_scan_done(&f);
}

static bool is_message_id(struct str id)
{
    if (id.length < 5 || id.length > MESSAGE_ID_MAX || id.data[0] != '<' || id.data[id.length - 1] != '>')
        return false;
    id = str_part(id, 1, id.length - 2);
    for (size_t i = 0; i < id.length; i++)
        if (id.data[i] <= ' ' || id.data[i] >= 127 || strchr("<>(),;\\\"", id.data[i]) != NULL)
            return false;
    return str_find(id, '@', 0) > 0 && str_find(id, '@', 0) + 1 < id.length;
}

static void read_subject(struct dsn_original *o)
{
    struct buf raw = {0}, decoded = {0};

    read_field(o, "subject", &raw);
    mime_decode_words(buf_str(&raw), &decoded);
    mime_clean(buf_str(&decoded), true, &o->subject);
    buf_done(&raw);
    buf_done(&decoded);
}

void dsn_original_read(struct dsn_original *o, const struct dsn *d)
{
    struct soundness s = {0};

    *o = (struct dsn_original){0};
    read_header(o, d);
    read_field(o, "message-id", &o->message_id);
    if (!is_message_id(buf_str(&o->message_id)))
        buf_clear(&o->message_id);
    read_subject(o);
    if (!dsn_returns_content(d) || d->content->size < d->size)
        return;
    scan_content(&s, d->content);
    o->whole = s.sound;
    o->eight_bit = s.sound && s.eight_bit;
}

void dsn_original_done(struct dsn_original *o)
{
    buf_done(&o->header);
    buf_done(&o->message_id);
    buf_done(&o->subject);
}

static void append_text(struct body *message, const char *text)
{
    body_append(message, str_of(text));
}

static void write_whole(const struct dsn_original *o, const struct dsn *d, struct body *message)
{
    char *scratch = memory_new(BODY_PIECE);
    int64_t offset = 0;

    append_text(message, d->original->smtputf8 ? "Content-Type: message/global\r\n" : "Content-Type: message/rfc822\r\n");
    append_text(message, o->eight_bit ? "Content-Transfer-Encoding: 8bit\r\n\r\n" : "Content-Transfer-Encoding: 7bit\r\n\r\n");
    while (offset < d->content->size) {
        struct str piece = body_piece(d->content, offset, scratch);

        if (piece.length == 0)
            break;
        body_append(message, piece);
        offset += (int64_t)piece.length;
    }
    memory_free(&scratch);
}

/* RFC 3462 section 2: a header that is not ASCII may be in quoted-printable. */
static void write_header(const struct dsn_original *o, const struct dsn *d, struct body *message)
{
    struct buf quoted = {0};

    if (d->original->smtputf8) {
        append_text(message, "Content-Type: message/global-headers\r\nContent-Transfer-Encoding: 8bit\r\n\r\n");
        body_append(message, buf_str(&o->header));
    } else if (str_is_ascii(buf_str(&o->header))) {
        append_text(message, "Content-Type: text/rfc822-headers\r\nContent-Transfer-Encoding: 7bit\r\n\r\n");
        body_append(message, buf_str(&o->header));
    } else {
        append_text(message, "Content-Type: text/rfc822-headers\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n");
        mime_quoted_printable(buf_str(&o->header), &quoted);
        body_append(message, buf_str(&quoted));
        buf_done(&quoted);
    }
}

void dsn_original_write(const struct dsn_original *o, const struct dsn *d, struct body *message)
{
    append_text(message, o->whole ? "Content-Description: Your message\r\n" : "Content-Description: The header of your message\r\n");
    if (o->whole)
        write_whole(o, d, message);
    else
        write_header(o, d, message);
}

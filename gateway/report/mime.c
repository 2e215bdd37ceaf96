#include "report/mime.h"

#include "base/base64.h"
#include "base/hex.h"

#include <string.h>

enum { LINE_GOAL = 78, ENCODED_LINE = 76, WORD_BYTES = 45 /* of text in an encoded word: 75 octets at most with what is around it */ };

void mime_clean(struct str text, bool utf8, struct buf *to)
{
    size_t start = to->length;

    while (text.length > 0 && to->length - start < MIME_TEXT_MAX) {
        size_t length = str_character(text);
        struct str character = str_part(text, 0, length > 0 ? length : 1);

        if (character.data[0] == '\t')
            buf_add_byte(to, ' ');
        else if (length == 0 || str_has_control(character) || (length > 1 && !utf8))
            buf_add_byte(to, '?');
        else
            buf_add(to, character);
        text = str_from(text, character.length);
    }
}

/* The words of VALUE behind what the line has already, with one space or a fold before each. */
static void add_words(struct buf *to, size_t column, struct str value)
{
    struct str word;

    while (str_cut(&value, ' ', &word)) {
        bool folds = column + 1 + word.length > LINE_GOAL;

        if (word.length == 0)
            continue;
        buf_add_text(to, folds ? "\r\n " : " ");
        buf_add(to, word);
        column = (folds ? 1 : column + 1) + word.length;
    }
    buf_add_text(to, "\r\n");
}

static void start_field(struct buf *to, const char *name)
{
    buf_add_text(to, name);
    buf_add_byte(to, ':');
}

void mime_field(struct buf *to, const char *name, struct str value, bool utf8)
{
    struct buf clean = {0};
    size_t start = to->length;

    mime_clean(value, utf8, &clean);
    if (str_trim(buf_str(&clean)).length > 0) {
        start_field(to, name);
        add_words(to, to->length - start, buf_str(&clean));
    }
    buf_done(&clean);
}

void mime_exact_field(struct buf *to, const char *name, struct str value, bool utf8)
{
    struct buf clean = {0};

    mime_clean(value, utf8, &clean);
    if (str_trim(buf_str(&clean)).length > 0) {
        start_field(to, name);
        buf_add_byte(to, ' ');
        buf_add(to, buf_str(&clean));
        buf_add_text(to, "\r\n");
    }
    buf_done(&clean);
}

/* Whole characters of the start of TEXT, as many as an encoded word holds. */
static size_t word_length(struct str text)
{
    size_t length = 0;

    while (length < text.length) {
        size_t character = str_character(str_from(text, length));

        if (length + (character > 0 ? character : 1) > WORD_BYTES)
            break;
        length += character > 0 ? character : 1;
    }
    return length;
}

/* Spaces between two encoded words do not count (RFC 2047 section 6.2), so all of the text is in them. */
static void encode_words(struct str text, struct buf *to)
{
    while (text.length > 0) {
        size_t length = word_length(text);

        buf_add_text(to, "=?UTF-8?B?");
        base64_encode(str_part(text, 0, length), to);
        buf_add_text(to, "?= ");
        text = str_from(text, length);
    }
}

void mime_unstructured(struct buf *to, const char *name, struct str value, bool utf8)
{
    struct buf clean = {0}, words = {0};
    size_t start = to->length;

    mime_clean(value, true, &clean);
    if (utf8 || str_is_ascii(buf_str(&clean)))
        buf_add(&words, buf_str(&clean));
    else
        encode_words(buf_str(&clean), &words);
    if (str_trim(buf_str(&words)).length > 0) {
        start_field(to, name);
        add_words(to, to->length - start, buf_str(&words));
    }
    buf_done(&clean);
    buf_done(&words);
}

/* RFC 2047 section 4.2. */
static bool decode_q(struct str text, struct buf *to)
{
    for (size_t i = 0; i < text.length; i++) {
        unsigned char byte;

        if (text.data[i] != '=') {
            buf_add_byte(to, text.data[i] == '_' ? ' ' : text.data[i]);
        } else if (hex_read(str_part(text, i + 1, 2), &byte, 1)) {
            buf_add_byte(to, (char)byte);
            i += 2;
        } else {
            return false;
        }
    }
    return true;
}

static void add_latin1(struct str bytes, struct buf *to)
{
    for (size_t i = 0; i < bytes.length; i++) {
        unsigned char c = (unsigned char)bytes.data[i];

        if (c > 127)
            buf_add_byte(to, (char)(0xc0 | c >> 6));
        buf_add_byte(to, (char)(c > 127 ? 0x80 | (c & 0x3f) : c));
    }
}

static bool add_charset(struct str charset, struct str bytes, struct buf *to)
{
    struct str name = str_part(charset, 0, str_find(charset, '*', 0)); /* RFC 2231 section 5: a language may follow */

    if (str_equal_nocase(name, STR("iso-8859-1")))
        add_latin1(bytes, to);
    else if (str_equal_nocase(name, STR("utf-8")) || str_equal_nocase(name, STR("us-ascii")))
        buf_add(to, bytes);
    else
        return false;
    return true;
}

/* One word; false, with nothing appended, for what is no encoded word of ours to read. */
static bool decode_word(struct str word, struct buf *to)
{
    struct buf bytes = {0};
    struct str charset, encoding, rest;
    bool ok;

    if (word.length < 8 || !str_starts(word, STR("=?")) || !str_ends(word, STR("?=")))
        return false;
    rest = str_part(word, 2, word.length - 4);
    ok = str_cut(&rest, '?', &charset) && str_cut(&rest, '?', &encoding) && !str_has(rest, '?') &&
         (str_equal_nocase(encoding, STR("q"))   ? decode_q(rest, &bytes)
          : str_equal_nocase(encoding, STR("b")) ? base64_decode(rest, &bytes)
                                                 : false) &&
         add_charset(charset, buf_str(&bytes), to);
    buf_done(&bytes);
    return ok;
}

void mime_decode_words(struct str value, struct buf *to)
{
    struct str word;
    bool first = true, was_encoded = false;

    while (str_cut_any(&value, " \t", &word)) {
        size_t before = to->length;
        bool encoded;

        if (word.length == 0)
            continue;
        if (!first)
            buf_add_byte(to, ' ');
        encoded = decode_word(word, to);
        if (!encoded)
            buf_add(to, word);
        else if (was_encoded) /* RFC 2047 section 6.2 */
            memmove(to->data + before, to->data + before + 1, --to->length - before);
        was_encoded = encoded;
        first = false;
    }
}

bool mime_lines_fit(struct str text)
{
    struct str line;

    while (str_cut(&text, '\n', &line))
        if (line.length > MIME_LINE_MAX + 1) /* with the CR */
            return false;
    return true;
}

static void add_quoted(struct buf *to, unsigned char c)
{
    static const char digits[] = "0123456789ABCDEF";

    buf_add_byte(to, '=');
    buf_add_byte(to, digits[c >> 4]);
    buf_add_byte(to, digits[c & 15]);
}

static void add_quoted_line(struct str line, struct buf *to)
{
    size_t column = 0;

    for (size_t i = 0; i < line.length; i++) {
        unsigned char c = (unsigned char)line.data[i];
        bool blank = c == ' ' || c == '\t', plain = (c > 32 && c < 127 && c != '=') || (blank && i + 1 < line.length);

        if (column + (plain ? 1U : 3U) >= ENCODED_LINE) {
            buf_add_text(to, "=\r\n");
            column = 0;
        }
        if (plain)
            buf_add_byte(to, (char)c);
        else
            add_quoted(to, c);
        column += plain ? 1 : 3;
    }
}

void mime_quoted_printable(struct str text, struct buf *to)
{
    struct str line;

    while (text.length > 0 && str_cut(&text, '\n', &line)) {
        add_quoted_line(str_ends(line, STR("\r")) ? str_part(line, 0, line.length - 1) : line, to);
        buf_add_text(to, "\r\n");
    }
}

#include "message/trace.h"

#include "base/clock.h"
#include "message/id.h"

enum { LINE_GOAL = 78, WORD_SIZE = 2 * PATH_MAX_OCTETS };

/* A field that grows by words and is folded between them (RFC 5322 section 2.2.3). */
struct field {
    struct buf *to;
    size_t column;
};

static void fold(struct field *f)
{
    buf_add_text(f->to, "\r\n\t");
    f->column = 1; /* a tab is one octet of the line */
}

static void add_word(struct field *f, struct str word)
{
    if (f->column > 1 && f->column + 1 + word.length > LINE_GOAL)
        fold(f);
    else if (f->column > 1)
        buf_add_byte(f->to, ' ');
    f->column += word.length + (f->column > 1);
    buf_add(f->to, word);
}

static void add_words(struct field *f, const char *words)
{
    struct str rest = str_of(words), word;

    while (str_cut(&rest, ' ', &word))
        add_word(f, word);
}

static void add_printed(struct field *f, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void add_printed(struct field *f, const char *format, ...)
{
    struct buf word;
    va_list args;

    buf_init(&word, WORD_SIZE);
    va_start(args, format);
    buf_print_args(&word, format, args);
    va_end(args);
    add_word(f, buf_str(&word));
    buf_done(&word);
}

/* RFC 5322 section 3.2.2: what may stand in a comment without a quote. */
static void add_comment(struct field *f, struct str text)
{
    char word[DOMAIN_MAX + 2];
    size_t length = 0;

    word[length++] = '(';
    for (size_t i = 0; i < text.length && i < DOMAIN_MAX; i++) {
        unsigned char c = (unsigned char)text.data[i];

        word[length++] = c <= 32 || c > 126 || c == '(' || c == ')' || c == '\\' ? '?' : text.data[i];
    }
    word[length++] = ')';
    add_word(f, (struct str){word, length});
}

/* A domain or an address literal that may stand in a field as it is. */
static bool is_host(struct str text)
{
    char host[DOMAIN_SIZE];

    return text.length > 0 && str_is_ascii(text) && domain_normalize(text, host);
}

/* TCP-info of RFC 5321 section 4.4. */
static void add_tcp_info(struct field *f, const char *name, const char *literal)
{
    if (is_host(str_of(name)) && name[0] != '[') {
        add_printed(f, "(%s", name);
        add_printed(f, "%s)", literal);
    } else {
        add_printed(f, "(%s)", literal);
    }
}

static void add_client(struct field *f, struct str helo, const struct trace *trace)
{
    char literal[ADDRESS_TEXT_SIZE];

    address_literal(trace->client, literal);
    add_words(f, "Received: from");
    if (is_host(helo)) {
        add_word(f, helo);
    } else {
        add_words(f, literal);
        add_comment(f, helo.length > 0 ? helo : STR("no-HELO"));
    }
    add_tcp_info(f, trace->client_name, literal);
}

void trace_received(struct buf *to, const struct envelope *e, const struct trace *trace)
{
    struct field f = {.to = to};
    char date[CLOCK_DATE_SIZE], id[QUEUE_ID_SIZE];

    queue_id_text(e->id, id);
    clock_date(e->arrived, date);
    add_client(&f, e->helo, trace);
    if (trace->tls[0] != '\0') {
        fold(&f);
        buf_add_byte(to, '(');
        add_words(&f, trace->tls);
        buf_add_byte(to, ')');
    }
    fold(&f);
    add_printed(&f, "by");
    add_words(&f, trace->me);
    add_printed(&f, "with");
    add_words(&f, trace->protocol);
    add_printed(&f, "id");
    /* RFC 5321 section 4.4: `for` with more than one recipient would show blind copies. */
    if (e->recipient_count == 1) {
        add_words(&f, id);
        fold(&f);
        add_printed(&f, "for");
        add_printed(&f, "<%.*s>;", STR_ARG(e->recipients->address));
    } else {
        add_printed(&f, "%s;", id);
        fold(&f);
    }
    add_words(&f, date);
    buf_add_text(to, "\r\n");
}

#include "message/completion.h"

#include "base/clock.h"
#include "message/id.h"

#include <stdio.h>
#include <string.h>

static const char *const names[] = {"Date", "Message-ID"};

enum { FIELDS = sizeof names / sizeof names[0] };

void completion_init(struct completion *c, int64_t id, int64_t arrived, const char *me)
{
    char date[CLOCK_DATE_SIZE], name[QUEUE_ID_SIZE];

    *c = (struct completion){0};
    clock_date(arrived, date);
    queue_id_text(id, name);
    snprintf(c->date, sizeof c->date, "Date: %s\r\n", date);
    snprintf(c->message_id, sizeof c->message_id, "Message-ID: <%s.%llx@%s>\r\n", name, (unsigned long long)arrived, me);
}

static void add_missing(struct completion *c, data_sink sink, void *context)
{
    const char *const fields[FIELDS] = {c->date, c->message_id};

    for (size_t i = 0; i < FIELDS; i++)
        if ((c->seen & 1U << i) == 0)
            sink(context, str_of(fields[i]));
    c->ended = true;
}

static void note_field(struct completion *c)
{
    /* RFC 5322 section 4.5: white space before the colon was once allowed. */
    struct str name = str_trim((struct str){c->held, c->held_length - 1});

    for (size_t i = 0; i < FIELDS; i++)
        if (str_equal_nocase(name, str_of(names[i])))
            c->seen |= 1U << i;
    c->headed = true;
}

/* MAILBOX: a mailbox's own line (RFC 4155), which scripts leave on top of what they submit. */
enum kind { UNKNOWN, FIELD, MAILBOX, CONTINUATION, EMPTY, TEXT };

/* What the beginning of a line says that it is, its last byte being new. */
static enum kind kind_of(const struct completion *c)
{
    char first = c->held[0], last = c->held[c->held_length - 1];

    if (first == '\r')
        return c->held_length == 1 ? UNKNOWN : last == '\n' ? EMPTY : TEXT;
    if (first == ' ' || first == '\t')
        return c->headed ? CONTINUATION : TEXT;
    if (last == ':')
        return c->held_length > 1 ? FIELD : TEXT;
    if (!c->headed && str_equal((struct str){c->held, c->held_length}, STR("From ")))
        return MAILBOX;
    if ((last == ' ' || last == '\t') && c->held_length < COMPLETION_HELD)
        return UNKNOWN;
    if (c->held_length == COMPLETION_HELD)
        return FIELD; /* no word of a text is that long */
    if (last < 33 || last > 126)
        return TEXT;
    /* A name that goes on behind white space was none. */
    return c->held_length > 1 && (c->held[c->held_length - 2] == ' ' || c->held[c->held_length - 2] == '\t') ? TEXT : UNKNOWN;
}

static void let_go(struct completion *c, data_sink sink, void *context)
{
    sink(context, (struct str){c->held, c->held_length});
    c->inside = c->held_length > 0 && c->held[c->held_length - 1] != '\n';
    c->held_length = 0;
}

static void take_beginning(struct completion *c, char byte, data_sink sink, void *context)
{
    enum kind kind;

    c->held[c->held_length++] = byte;
    kind = kind_of(c);
    if (kind == UNKNOWN)
        return;
    if (kind == FIELD)
        note_field(c);
    if (kind == MAILBOX) { /* as a field it breaks no header */
        sink(context, STR("X-Mailbox-Line: "));
        c->headed = true;
    }
    if (kind == EMPTY || (kind == TEXT && !c->headed))
        add_missing(c, sink, context);
    if (kind == TEXT && !c->headed)
        sink(context, STR("\r\n"));
    let_go(c, sink, context);
}

void completion_take(struct completion *c, struct str content, data_sink sink, void *context)
{
    size_t i = 0;

    while (i < content.length && !c->ended) {
        if (c->inside) {
            size_t end = str_find(content, '\n', i);

            c->inside = end == content.length;
            end += !c->inside;
            sink(context, str_part(content, i, end - i));
            i = end;
        } else {
            take_beginning(c, content.data[i++], sink, context);
        }
    }
    if (i < content.length)
        sink(context, str_from(content, i));
}

void completion_end(struct completion *c, data_sink sink, void *context)
{
    if (c->ended)
        return;
    if (c->held_length > 0 && !c->headed) {
        add_missing(c, sink, context);
        sink(context, STR("\r\n"));
    }
    if (c->held_length > 0)
        let_go(c, sink, context);
    if (c->inside && !c->ended)
        sink(context, STR("\r\n"));
    if (!c->ended)
        add_missing(c, sink, context);
}

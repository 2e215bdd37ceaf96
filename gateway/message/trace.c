#include "message/trace.h"

#include "base/clock.h"
#include "message/id.h"

enum { LINE_GOAL = 78 };

/* RFC 5322 section 3.2.2: what may stand in a comment without a quote. */
static void add_comment(struct buf *to, struct str text)
{
    buf_add_byte(to, '(');
    for (size_t i = 0; i < text.length; i++) {
        unsigned char c = (unsigned char)text.data[i];

        buf_add_byte(to, c <= 32 || c > 126 || c == '(' || c == ')' || c == '\\' ? '?' : text.data[i]);
    }
    buf_add_byte(to, ')');
}

static void add_client(struct buf *to, struct str helo, const struct address *client)
{
    char host[DOMAIN_SIZE], literal[ADDRESS_TEXT_SIZE];

    address_literal(client, literal);
    buf_add_text(to, "Received: from ");
    if (helo.length > 0 && domain_normalize(helo, host) && str_is_ascii(helo)) {
        buf_add(to, helo);
    } else {
        buf_add_text(to, literal);
        buf_add_byte(to, ' ');
        add_comment(to, helo.length > 0 ? str_part(helo, 0, DOMAIN_MAX) : STR("no HELO"));
    }
    buf_print(to, " (%s)\r\n\t", literal);
}

void trace_received(struct buf *to, const struct envelope *e, const struct address *client, const char *me, const char *protocol)
{
    char date[CLOCK_DATE_SIZE], id[QUEUE_ID_SIZE];

    queue_id_text(e->id, id);
    clock_date(e->arrived, date);
    add_client(to, e->helo, client);
    buf_print(to, "by %s with %s id %s", me, protocol, id);
    /* RFC 5321 section 4.4: `for` with more than one recipient would show blind copies. */
    if (e->recipient_count == 1) {
        struct str recipient = e->recipients->address;

        buf_print(to, "\r\n\tfor <%.*s>;", STR_ARG(recipient));
        buf_add_text(to, recipient.length + 50 > LINE_GOAL ? "\r\n\t" : " ");
    } else {
        buf_add_text(to, ";\r\n\t");
    }
    buf_print(to, "%s\r\n", date);
}

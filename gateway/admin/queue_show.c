#include "admin/listing.h"
#include "admin/queue_words.h"
#include "base/clock.h"
#include "base/json.h"
#include "message/id.h"
#include "queue/history.h"
#include "queue/rows.h"

#include <stdio.h>

/* A line of the content that is longer is shown as several. */
enum { LINE_MOST = 8192 };

/* What is to be shown of one message. */
struct showing {
    struct invocation *invocation;
    struct queue queue;
    struct selection selection;
    struct history history;
    struct body content;
    struct listing *listing;
    struct json *list; /* that is being filled */
    bool with_body;
};

static void show_line(struct listing *l, const char *name, struct str value)
{
    if (value.length > 0)
        listing_line(l, "%s: %.*s", name, STR_ARG(value));
}

static const char *time_text(int64_t wall, char *room)
{
    clock_text(wall, room);
    return room;
}

static void show_recipient(void *context, const struct queue_row *row)
{
    static const char *const wishes[] = {"", ", to be held", ", to be discarded", ", to be bounced"};
    struct listing *l = context;
    char next[CLOCK_TEXT_SIZE], tried[CLOCK_TEXT_SIZE], route[32];

    snprintf(route, sizeof route, " - Route: %lld", (long long)row->route);
    listing_line(l, "Recipient: <%.*s> - Status: %s%s - Attempts: %lld%s%s%s", STR_ARG(row->recipient), recipient_state_name(row->state),
                 row->wish <= WISH_BOUNCE ? wishes[row->wish] : "", (long long)row->attempts, row->next > 0 ? " - Next attempt: " : "",
                 row->next > 0 ? time_text(row->next, next) : "", row->route > 0 ? route : "");
    if (row->taken.length > 0)
        listing_line(l, "  Accepted: %.*s", STR_ARG(row->taken));
    if (row->tried > 0 || row->reason.length > 0)
        listing_line(l, "  Last: %s%s%.*s - %s%.*s%s%.*s", row->tried > 0 ? time_text(row->tried, tried) : "", row->tried > 0 ? " - " : "",
                     STR_ARG(row->host), row->tls.length > 0 ? "TLS: " : "", STR_ARG(row->tls), row->tls.length > 0 ? " - " : "",
                     STR_ARG(row->reason));
}

static void show_event(struct listing *l, const struct history_event *e)
{
    struct buf line = {0};
    char at[CLOCK_TEXT_SIZE];

    buf_print(&line, "%s - %.*s", time_text(e->at, at), STR_ARG(e->event));
    if (e->recipient.length > 0)
        buf_print(&line, " - <%.*s>", STR_ARG(e->recipient));
    if (e->attempt > 0)
        buf_print(&line, " - attempt %lld", (long long)e->attempt);
    if (e->took >= 0)
        buf_print(&line, ", %lld ms", (long long)e->took);
    if (e->host.length > 0)
        buf_print(&line, " - %.*s", STR_ARG(e->host));
    if (e->tls.length > 0)
        buf_print(&line, " - TLS: %.*s", STR_ARG(e->tls));
    if (e->reason.length > 0)
        buf_print(&line, " - %.*s", STR_ARG(e->reason));
    listing_line(l, "%.*s", STR_ARG(buf_str(&line)));
    buf_done(&line);
}

static void show_envelope(struct listing *l, const struct history *h)
{
    char id[QUEUE_ID_SIZE], arrived[CLOCK_TEXT_SIZE];

    queue_id_text(h->id, id);
    show_line(l, "Message", str_of(id));
    listing_line(l, "Sender: <%.*s>", STR_ARG(h->sender));
    show_line(l, "Added", str_of(time_text(h->arrived, arrived)));
    show_line(l, "Session", h->session);
    show_line(l, "Client", h->client);
    show_line(l, "HELO", h->helo);
    show_line(l, "Protocol", h->via);
    show_line(l, "User", h->user);
    show_line(l, "ENVID", h->envid);
    listing_line(l, "Size: %lld", (long long)h->size);
}

/* The lines of the content up to the end of the header, or all of them. */
static void each_line(struct showing *s, void (*take)(struct showing *s, struct str line))
{
    static char scratch[BODY_PIECE];
    struct buf line = {0};
    struct str piece;
    bool more = true;

    for (int64_t offset = 0; more && (piece = body_piece(&s->content, offset, scratch)).length > 0; offset += (int64_t)piece.length)
        for (size_t k = 0; more && k < piece.length; k++) {
            if (piece.data[k] != '\n')
                buf_add_byte(&line, piece.data[k]);
            if (piece.data[k] != '\n' && line.length < LINE_MOST)
                continue;
            if (line.length > 0 && line.data[line.length - 1] == '\r')
                line.length--;
            more = line.length > 0 || s->with_body;
            if (more)
                take(s, buf_str(&line));
            buf_clear(&line);
        }
    if (more && line.length > 0)
        take(s, buf_str(&line));
    buf_done(&line);
}

static void print_content_line(struct showing *s, struct str line)
{
    listing_line(s->listing, "%.*s", STR_ARG(line));
}

static bool show_lines(struct showing *s)
{
    struct listing *l = s->listing = listing_open(false);
    bool ok;

    show_envelope(l, &s->history);
    ok = rows_list(&s->queue, &s->selection, 0, show_recipient, l);
    if (s->history.events != NULL)
        listing_line(l, "History:");
    for (const struct history_event *e = s->history.events; e != NULL; e = e->next)
        show_event(l, e);
    listing_line(l, "%s", "");
    each_line(s, print_content_line);
    listing_close(&s->listing);
    return ok;
}

static void put_optional(struct json *j, const char *name, struct str value)
{
    if (value.length > 0)
        json_put_str(j, name, value);
    else
        json_put_null(j, name);
}

static void put_time(struct json *j, const char *name, int64_t wall)
{
    char text[CLOCK_TEXT_SIZE];

    put_optional(j, name, wall > 0 ? str_of(time_text(wall, text)) : STR(""));
}

static void put_recipient(void *context, const struct queue_row *row)
{
    static const char *const wishes[] = {"", "hold", "discard", "bounce"};
    struct showing *s = context;
    struct json *j = json_new_object();

    json_put_str(j, "recipient", row->recipient);
    json_put_str(j, "status", str_of(recipient_state_name(row->state)));
    put_optional(j, "wish", str_of(row->wish <= WISH_BOUNCE ? wishes[row->wish] : ""));
    put_time(j, "next", row->next);
    json_put_number(j, "attempts", row->attempts);
    put_optional(j, "accepted", row->taken);
    put_optional(j, "orcpt", row->orcpt);
    json_put_number(j, "route", row->route);
    put_time(j, "tried", row->tried);
    put_optional(j, "host", row->host);
    put_optional(j, "tls", row->tls);
    json_put_number(j, "code", row->code);
    put_optional(j, "enhanced", row->enhanced);
    put_optional(j, "reason", row->reason);
    json_add(s->list, &j);
}

static struct json *make_event(const struct history_event *e)
{
    struct json *j = json_new_object();

    put_time(j, "at", e->at);
    json_put_str(j, "event", e->event);
    put_optional(j, "recipient", e->recipient);
    json_put_number(j, "attempt", e->attempt);
    if (e->took >= 0)
        json_put_number(j, "took", e->took);
    else
        json_put_null(j, "took");
    put_optional(j, "host", e->host);
    put_optional(j, "tls", e->tls);
    json_put_number(j, "code", e->code);
    put_optional(j, "enhanced", e->enhanced);
    put_optional(j, "reason", e->reason);
    return j;
}

static void put_envelope(struct json *j, const struct history *h)
{
    char id[QUEUE_ID_SIZE];

    queue_id_text(h->id, id);
    json_put_str(j, "id", str_of(id));
    json_put_str(j, "sender", h->sender);
    put_time(j, "added", h->arrived);
    json_put_str(j, "session", h->session);
    json_put_str(j, "client", h->client);
    json_put_str(j, "helo", h->helo);
    put_optional(j, "via", h->via);
    put_optional(j, "user", h->user);
    put_optional(j, "envid", h->envid);
    json_put_number(j, "size", h->size);
}

static void put_content_line(struct showing *s, struct str line)
{
    json_add_str(s->list, line);
}

static bool show_json(struct showing *s)
{
    struct json *j = json_new_object(), *events = json_new_list();
    struct buf text = {0};
    bool ok;

    put_envelope(j, &s->history);
    s->list = json_new_list();
    ok = rows_list(&s->queue, &s->selection, 0, put_recipient, s);
    json_put(j, "recipients", &s->list);
    for (const struct history_event *e = s->history.events; e != NULL; e = e->next) {
        struct json *event = make_event(e);

        json_add(events, &event);
    }
    json_put(j, "history", &events);
    s->list = json_new_list();
    each_line(s, put_content_line);
    json_put(j, s->with_body ? "content" : "header", &s->list);
    json_write(j, &text);
    printf("%s\n", buf_text(&text));
    buf_done(&text);
    json_free(&j);
    return ok;
}

static int no_message(struct invocation *i, struct queue *q)
{
    queue_close(q);
    return invocation_fail(i, "no such message in the queue: %s", i->words[0]);
}

static int show(struct invocation *i, struct showing *s, int64_t id)
{
    struct status why;
    int found = history_read(&s->history, s->queue.db, id), status;
    bool ok = found > 0;

    if (found == 0 || (ok && !s->history.waits))
        return no_message(i, &s->queue);
    if (ok && !queue_read_content(&s->queue, id, &s->content, &why)) {
        queue_close(&s->queue);
        return invocation_fail(i, "%s", why.text);
    }
    selection_set_message(&s->selection, id);
    ok = ok && (i->json ? show_json : show_lines)(s);
    status = queue_words_close(i, &s->queue, ok);
    return status;
}

int queue_show(struct invocation *i)
{
    struct showing s = {.invocation = i, .with_body = invocation_has(i, "body")};
    int64_t id;
    int status = queue_words_id(i, i->words[0], &id) ? queue_words_open(i, &s.queue) : EXIT_FAILED;

    if (status != EXIT_DONE)
        return status;
    selection_init(&s.selection);
    body_init(&s.content, i->conf->tempdir);
    status = show(i, &s, id);
    body_done(&s.content);
    selection_done(&s.selection);
    history_done(&s.history);
    return status;
}

static void write_content(struct body *content)
{
    static char scratch[BODY_PIECE];
    struct str piece;

    for (int64_t offset = 0; (piece = body_piece(content, offset, scratch)).length > 0; offset += (int64_t)piece.length)
        fwrite(piece.data, 1, piece.length, stdout);
}

static int export_message(struct invocation *i, struct queue *q, int64_t id, struct body *content)
{
    struct history h;
    struct status why;
    const int found = history_read(&h, q->db, id);
    const bool waits = found > 0 && h.waits;

    history_done(&h);
    if (found >= 0 && !waits)
        return no_message(i, q);
    if (found > 0 && !queue_read_content(q, id, content, &why)) {
        queue_close(q);
        return invocation_fail(i, "%s", why.text);
    }
    write_content(content);
    return queue_words_close(i, q, found > 0 && !body_failed(content, &why));
}

int queue_export(struct invocation *i)
{
    struct queue q;
    struct body content;
    int64_t id;
    int status = queue_words_id(i, i->words[0], &id) ? queue_words_open(i, &q) : EXIT_FAILED;

    if (status != EXIT_DONE)
        return status;
    body_init(&content, i->conf->tempdir);
    status = export_message(i, &q, id, &content);
    body_done(&content);
    return status;
}

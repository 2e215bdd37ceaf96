#include "admin/groups.h"
#include "admin/listing.h"
#include "base/clock.h"
#include "base/json.h"
#include "message/id.h"
#include "queue/history.h"
#include "queue/look.h"

#include <stdio.h>

/* What the events of the table `history` are for people; what is not here is shown as it is. */
static const char *event_text(struct str event)
{
    static const struct {
        const char *event, *text;
    } texts[] = {
        {"crashed", "lost with the process that delivered it"}, {"held", "held by an administrator"},
        {"released", "released by an administrator"},           {"flushed", "flushed by an administrator"},
        {"rerouted", "rerouted by an administrator"},           {"bounced", "bounced by an administrator"},
        {"discarded", "discarded by an administrator"},         {"reported", "reported to the sender"},
    };

    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        if (str_equal(event, str_of(texts[i].event)))
            return texts[i].text;
    return event.data;
}

static void add(struct buf *line, const char *label, struct str value)
{
    if (value.length > 0)
        buf_print(line, " - %s%.*s", label, STR_ARG(value));
}

static void end_line(struct listing *l, struct buf *line)
{
    listing_line(l, "%s", buf_text(line));
    buf_done(line);
}

static void begin_line(struct buf *line, int64_t at)
{
    char time[CLOCK_TEXT_SIZE];

    clock_text(at, time);
    buf_print(line, "%s - ", time);
}

static void print_arrival(struct listing *l, const struct history *h)
{
    struct buf line = {0};
    char id[QUEUE_ID_SIZE];

    queue_id_text(h->id, id);
    begin_line(&line, h->arrived);
    buf_print(&line, "%s %s from <%.*s>", id, h->kind == MESSAGE_MAIL ? "arrived" : "is a report of ours,", STR_ARG(h->sender));
    add(&line, "Client: ", h->client);
    add(&line, "HELO: ", h->helo);
    add(&line, "Login: ", h->user);
    add(&line, "Via: ", h->via);
    add(&line, "Session: ", h->session);
    add(&line, "ENVID: ", h->envid);
    buf_print(&line, " - Size: %lld", (long long)h->size);
    end_line(l, &line);
}

static void print_taken(struct listing *l, const struct history *h)
{
    for (const struct history_recipient *r = h->recipients; r != NULL; r = r->next) {
        struct buf line = {0};

        begin_line(&line, h->arrived);
        buf_print(&line, "<%.*s> accepted", STR_ARG(r->address));
        add(&line, "", r->taken);
        end_line(l, &line);
    }
}

static void add_status(struct buf *line, const struct history_event *e)
{
    if (e->code == 0 && e->enhanced.length == 0 && e->reason.length == 0)
        return;
    buf_add_text(line, " -");
    if (e->code != 0)
        buf_print(line, " %d", e->code);
    if (e->enhanced.length > 0)
        buf_print(line, " %.*s", STR_ARG(e->enhanced));
    if (e->reason.length > 0)
        buf_print(line, " %.*s", STR_ARG(e->reason));
}

static void print_event(struct listing *l, const struct history_event *e)
{
    struct buf line = {0};

    begin_line(&line, e->at);
    if (e->recipient.length > 0)
        buf_print(&line, "<%.*s> ", STR_ARG(e->recipient));
    buf_add_text(&line, event_text(e->event));
    if (e->attempt > 0)
        buf_print(&line, " - Attempt: %lld", (long long)e->attempt);
    if (e->took >= 0)
        buf_print(&line, " - Took: %lld.%03d s", (long long)(e->took / 1000), (int)(e->took % 1000));
    add(&line, "Host: ", e->host);
    add(&line, "TLS: ", e->tls);
    add_status(&line, e);
    end_line(l, &line);
}

static const char *wish_name(enum recipient_wish wish)
{
    static const char *const names[] = {NULL, "hold", "discard", "bounce"};

    return wish >= WISH_NOTHING && wish <= WISH_BOUNCE ? names[wish] : "unknown";
}

static void print_present(struct listing *l, const struct history *h)
{
    for (const struct history_recipient *r = h->recipients; r != NULL; r = r->next) {
        struct buf line = {0};
        char next[CLOCK_TEXT_SIZE] = "";

        if (r->state == 0)
            continue;
        if (r->due > 0)
            clock_text(r->due, next);
        buf_print(&line, "Now - <%.*s> %s - Attempts: %lld", STR_ARG(r->address), recipient_state_name(r->state), (long long)r->attempts);
        add(&line, "Next attempt: ", str_of(next));
        add(&line, "When the attempt is over: ", str_of(wish_name(r->wish)));
        end_line(l, &line);
    }
    if (!h->waits)
        listing_line(l, "Now - no longer in the queue");
}

static void print_text(const struct history *h)
{
    struct listing *l = listing_open(false);
    const struct history_event *e = h->events;

    print_arrival(l, h);
    for (; e != NULL && str_equal(e->event, STR("refused")); e = e->next)
        print_event(l, e);
    print_taken(l, h);
    for (; e != NULL; e = e->next)
        print_event(l, e);
    print_present(l, h);
    listing_close(&l);
}

static void put_str(struct json *j, const char *name, struct str value)
{
    if (value.length > 0)
        json_put_str(j, name, value);
    else
        json_put_null(j, name);
}

static void put_number(struct json *j, const char *name, int64_t value, int64_t none)
{
    if (value != none)
        json_put_number(j, name, value);
    else
        json_put_null(j, name);
}

static void put_time(struct json *j, const char *name, int64_t wall)
{
    char text[CLOCK_TEXT_SIZE] = "";

    if (wall > 0)
        clock_text(wall, text);
    put_str(j, name, str_of(text));
}

static struct json *make_recipients(const struct history *h)
{
    struct json *list = json_new_list();

    for (const struct history_recipient *r = h->recipients; r != NULL; r = r->next) {
        struct json *row = json_new_object();

        json_put_str(row, "recipient", r->address);
        put_str(row, "taken", r->taken);
        json_put_str(row, "status", r->state != 0 ? str_of(recipient_state_name(r->state)) : STR("gone"));
        json_put_number(row, "attempts", r->attempts);
        put_time(row, "next", r->due);
        put_str(row, "wish", str_of(wish_name(r->wish)));
        json_add(list, &row);
    }
    return list;
}

static struct json *make_events(const struct history *h)
{
    struct json *list = json_new_list();

    for (const struct history_event *e = h->events; e != NULL; e = e->next) {
        struct json *row = json_new_object();

        put_time(row, "at", e->at);
        put_str(row, "recipient", e->recipient);
        json_put_str(row, "event", e->event);
        put_number(row, "attempt", e->attempt, 0);
        put_number(row, "took", e->took, -1);
        put_str(row, "host", e->host);
        put_str(row, "tls", e->tls);
        put_number(row, "code", e->code, 0);
        put_str(row, "enhanced", e->enhanced);
        put_str(row, "reason", e->reason);
        json_add(list, &row);
    }
    return list;
}

static void print_json(const struct history *h)
{
    struct json *j = json_new_object(), *recipients = make_recipients(h), *events = make_events(h);
    struct buf text = {0};
    char id[QUEUE_ID_SIZE];

    queue_id_text(h->id, id);
    json_put_str(j, "id", str_of(id));
    json_put_bool(j, "queued", h->waits);
    json_put_str(j, "kind", h->kind == MESSAGE_MAIL ? STR("mail") : STR("report"));
    put_time(j, "added", h->arrived);
    json_put_str(j, "sender", h->sender);
    json_put_str(j, "client", h->client);
    json_put_str(j, "helo", h->helo);
    put_str(j, "login", h->user);
    put_str(j, "via", h->via);
    json_put_str(j, "session", h->session);
    put_str(j, "envid", h->envid);
    json_put_number(j, "size", h->size);
    json_put(j, "recipients", &recipients);
    json_put(j, "events", &events);
    json_write(j, &text);
    puts(buf_text(&text));
    buf_done(&text);
    json_free(&j);
}

static int say_unknown(struct invocation *i)
{
    char span[CLOCK_SPAN_SIZE];

    clock_span(i->conf->history / 1000, span);
    if (i->conf->history > 0)
        return invocation_fail(i, "message %s is not known, or was gone longer than TMAIL_HISTORY (%s) ago", i->words[0], span);
    return invocation_fail(i, "message %s is not in the queue, and of those that are gone nothing is kept (TMAIL_HISTORY=0)", i->words[0]);
}

static int trace(struct invocation *i, struct db *db, int64_t id)
{
    struct history h;
    int found = history_read(&h, db, id), status = EXIT_DONE;

    if (found < 0)
        status = invocation_fail(i, "%s", db_error(db));
    else if (found == 0)
        status = say_unknown(i);
    else
        (i->json ? print_json : print_text)(&h);
    history_done(&h);
    if (status == EXIT_DONE && (fflush(stdout) != 0 || ferror(stdout)))
        status = invocation_fail(i, "standard output could not be written");
    return status;
}

static int run_trace(struct invocation *i)
{
    char error[1024];
    int64_t id;
    int status;
    struct db *db;

    if (!queue_id_parse(str_of(i->words[0]), &id))
        return invocation_fail(i, "%s is no queue id (expected 16 hexadecimal digits)", i->words[0]);
    db = look_open(i->conf->store_source, error, sizeof error);
    if (db == NULL)
        return invocation_fail(i, "%s", error);
    status = trace(i, db, id);
    db_close(&db);
    return status;
}

static const struct command commands[] = {
    {.words = "ID", .words_min = 1, .words_max = 1, .listing = true, .run = run_trace,
     .help = "Tell the whole story of a message, whether it waits or is gone.  It prints in order of time how it came, why each of its"
             " recipients was accepted or refused, every attempt with host, TLS and reply, what an administrator did, the reports that"
             " were made, and what still waits.  Of messages that are gone it knows what TMAIL_HISTORY keeps; --json prints one object."},
};

const struct command_group trace_group = {
    .noun = "trace",
    .help = "the whole story of a message",
    .commands = commands,
    .count = sizeof commands / sizeof commands[0],
};

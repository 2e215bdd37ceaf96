#include "admin/change.h"
#include "admin/create.h"
#include "admin/groups.h"
#include "admin/identity.h"
#include "admin/listing.h"
#include "base/clock.h"
#include "message/id.h"
#include "queue/manage.h"

#include <stdio.h>

static int open_queue(struct invocation *i, struct queue *q)
{
    char error[1024];
    int status = change_become(i);

    if (status != EXIT_DONE)
        return status;
    if (queue_open(q, i->conf->store_source, error, sizeof error))
        return EXIT_DONE;
    return invocation_fail(i, "%s", error);
}

/* OK: the database answered.  What was printed is on its way only when standard output took it. */
static int close_queue(struct invocation *i, struct queue *q, bool ok)
{
    int status = EXIT_DONE;

    if (!ok)
        status = invocation_fail(i, "%s", db_error(q->db));
    else if (fflush(stdout) != 0 || ferror(stdout))
        status = invocation_fail(i, "standard output could not be written");
    queue_close(q);
    return status;
}

static void add_time(struct listing *l, const char *key, int64_t wall)
{
    char text[CLOCK_TEXT_SIZE];

    clock_text(wall, text);
    listing_text(l, key, wall > 0 ? text : NULL);
}

static void print_row(void *context, const struct queue_row *row)
{
    struct listing *l = context;
    char id[QUEUE_ID_SIZE], added[CLOCK_TEXT_SIZE], next[CLOCK_TEXT_SIZE];
    const char *state = recipient_state_name(row->state);

    queue_id_text(row->id, id);
    clock_text(row->added, added);
    clock_text(row->next, next);
    listing_text(l, "id", id);
    listing_str(l, "sender", row->sender);
    listing_str(l, "recipient", row->recipient);
    listing_text(l, "status", state);
    listing_text(l, "added", added);
    add_time(l, "next", row->next);
    listing_number(l, "attempts", row->attempts);
    listing_line(l, "%s - From: <%.*s> - To: <%.*s> - Status: %s - Added: %s%s%s%s%.*s", id, STR_ARG(row->sender), STR_ARG(row->recipient), state, added,
                 row->next > 0 ? " - Next attempt: " : "", row->next > 0 ? next : "", row->reason.length > 0 ? " - Reason: " : "",
                 STR_ARG(row->reason));
    listing_str(l, "reason", row->reason);
    listing_end_row(l);
}

static int run_list(struct invocation *i)
{
    struct queue q;
    struct listing *l;
    bool ok;
    int status = open_queue(i, &q);

    if (status != EXIT_DONE)
        return status;
    l = listing_open(i->json);
    ok = manage_list(&q, 0, print_row, l);
    listing_close(&l); /* close_queue looks at standard output */
    return close_queue(i, &q, ok);
}

static int run_count(struct invocation *i)
{
    struct queue q;
    int64_t messages = 0, recipients = 0;
    bool ok;
    int status = open_queue(i, &q);

    if (status != EXIT_DONE)
        return status;
    ok = manage_count(&q, &messages, &recipients);
    if (ok && i->json)
        printf("{\"messages\": %lld, \"recipients\": %lld}\n", (long long)messages, (long long)recipients);
    else if (ok)
        printf("%lld messages, %lld recipients\n", (long long)messages, (long long)recipients);
    return close_queue(i, &q, ok);
}

/* The id in the first word; 0 after a complaint. */
static int64_t word_id(struct invocation *i)
{
    int64_t id;

    if (queue_id_parse(str_of(i->words[0]), &id))
        return id;
    invocation_fail(i, "%s is no queue id (expected 16 hexadecimal digits)", i->words[0]);
    return 0;
}

/* NONE says what there is nothing of. */
static int report(struct invocation *i, const struct manage_result *result, const char *none)
{
    if (result->busy > 0 && result->done == 0)
        fprintf(stderr, "tmail queue %s: delivery in progress, try again\n", i->command->verb);
    else if (result->done == 0)
        return invocation_fail(i, "no such %s in the queue: %s", none, i->words[0]);
    return result->busy > 0 ? EXIT_AGAIN : EXIT_DONE;
}

typedef bool (*message_change)(struct queue *q, int64_t message, struct manage_result *result);

static int run_change(struct invocation *i, message_change change, const char *none)
{
    struct queue q;
    struct manage_result result;
    int64_t id = word_id(i);
    bool ok;
    int status = id > 0 ? open_queue(i, &q) : EXIT_FAILED;

    if (status != EXIT_DONE)
        return status;
    ok = change(&q, id, &result);
    status = close_queue(i, &q, ok);
    return ok ? report(i, &result, none) : status;
}

static int run_discard(struct invocation *i)
{
    return run_change(i, manage_discard, "message");
}

static int run_hold(struct invocation *i)
{
    return run_change(i, manage_hold, "message with scheduled recipients");
}

static int run_release(struct invocation *i)
{
    return run_change(i, manage_release, "message with held or failed recipients");
}

static int run_flush(struct invocation *i)
{
    struct queue q;
    struct manage_result result;
    int64_t id = 0;
    char domain[DOMAIN_SIZE] = "";
    bool ok;
    int status;

    if (i->word_count > 0 && !queue_id_parse(str_of(i->words[0]), &id) && !domain_normalize(str_of(i->words[0]), domain))
        return invocation_fail(i, "%s is neither a queue id nor a domain", i->words[0]);
    status = open_queue(i, &q);
    if (status != EXIT_DONE)
        return status;
    ok = manage_flush(&q, id, str_of(domain), &result);
    status = close_queue(i, &q, ok);
    /* What is being delivered at this moment is as flushed as can be. */
    if (ok && i->word_count > 0 && result.done == 0 && result.busy == 0)
        return invocation_fail(i, "nothing is scheduled for %s", i->words[0]);
    return status;
}

static void show_recipient(void *context, const struct queue_row *row)
{
    struct listing *l = context;
    char time[CLOCK_TEXT_SIZE];

    clock_text(row->next, time);
    listing_line(l, "Recipient: <%.*s> - Status: %s - Attempts: %lld%s%s", STR_ARG(row->recipient), recipient_state_name(row->state),
                 (long long)row->attempts, row->next > 0 ? " - Next attempt: " : "", row->next > 0 ? time : "");
    listing_end_row(l);
    if (row->tried > 0) {
        clock_text(row->tried, time);
        listing_line(l, "  Last: %s - %.*s - %s%.*s%s%.*s", time, STR_ARG(row->host), row->tls.length > 0 ? "TLS: " : "", STR_ARG(row->tls),
                     row->tls.length > 0 ? " - " : "", STR_ARG(row->reason));
        listing_end_row(l);
    }
}

static void show_line(struct listing *l, const char *name, struct str value)
{
    if (value.length > 0)
        listing_line(l, "%s: %.*s", name, STR_ARG(value));
    if (value.length > 0)
        listing_end_row(l);
}

static void show_sender(void *context, const struct queue_row *row)
{
    struct queue_row *first = context;
    static char sender[2 * PATH_MAX_OCTETS];

    if (first->id != 0)
        return;
    *first = *row;
    str_copy(row->sender, sender, sizeof sender);
    first->sender = str_of(sender);
}

static void show_content(struct body *body)
{
    static char scratch[BODY_PIECE];
    struct str piece;

    putchar('\n');
    for (int64_t offset = 0; (piece = body_piece(body, offset, scratch)).length > 0; offset += (int64_t)piece.length)
        fwrite(piece.data, 1, piece.length, stdout);
}

static bool show(struct invocation *i, struct queue *q, int64_t id)
{
    struct listing *l = listing_open(false);
    struct queue_facts facts;
    struct queue_row first = {0};
    struct status why;
    struct body body;
    bool ok = manage_list(q, id, show_sender, &first) && manage_facts(q, id, &facts) > 0;

    if (ok) {
        show_line(l, "Message", str_of(i->words[0]));
        listing_line(l, "Sender: <%.*s>", STR_ARG(first.sender));
        listing_end_row(l);
        show_line(l, "Session", facts.session);
        show_line(l, "Client", facts.client);
        show_line(l, "HELO", facts.helo);
        show_line(l, "User", facts.user);
        show_line(l, "ENVID", facts.envid);
        listing_line(l, "Size: %lld", (long long)first.size);
        listing_end_row(l);
        ok = manage_list(q, id, show_recipient, l);
    }
    listing_close(&l);
    body_init(&body, i->conf->tempdir);
    ok = ok && queue_read_content(q, id, &body, &why);
    if (ok)
        show_content(&body);
    body_done(&body);
    return ok;
}

static int run_show(struct invocation *i)
{
    struct queue q;
    struct queue_facts facts;
    int64_t id = word_id(i);
    int found, status = id > 0 ? open_queue(i, &q) : EXIT_FAILED;

    if (status != EXIT_DONE)
        return status;
    found = manage_facts(&q, id, &facts);
    if (found == 0) {
        queue_close(&q);
        return invocation_fail(i, "no such message in the queue: %s", i->words[0]);
    }
    return close_queue(i, &q, found > 0 && show(i, &q, id));
}

static const struct command commands[] = {
    {.verb = "list", .listing = true, .run = run_list, .help = "List what waits, a line a recipient."},
    {.verb = "count", .listing = true, .run = run_count, .help = "Count messages and recipients."},
    {.verb = "show", .words = "ID", .words_min = 1, .words_max = 1, .run = run_show,
     .help = "Show a message: envelope, recipients with what happened to each, header and body as they are stored."},
    {.verb = "flush", .words = "[ID|DOMAIN]", .words_max = 1, .run = run_flush,
     .help = "Try again now: everything, one message, or the recipients of a domain.  Hosts that are remembered as dead are tried, too."},
    {.verb = "hold", .words = "ID", .words_min = 1, .words_max = 1, .run = run_hold, .help = "Keep a message from being tried until it is released."},
    {.verb = "release", .words = "ID", .words_min = 1, .words_max = 1, .run = run_release,
     .help = "Schedule the held and the failed recipients of a message at once."},
    {.verb = "discard", .words = "ID", .words_min = 1, .words_max = 1, .run = run_discard,
     .help = "Remove a message without telling anybody.  Recipients that are being delivered stay, and the exit status is 75."},
};

const struct command_group queue_group = {
    .noun = "queue",
    .help = "the messages that wait",
    .commands = commands,
    .count = sizeof commands / sizeof commands[0],
};

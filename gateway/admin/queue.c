#include "admin/groups.h"
#include "admin/listing.h"
#include "admin/queue_words.h"
#include "base/clock.h"
#include "message/id.h"
#include "queue/rows.h"

#include <stdio.h>

static void add_time(struct listing *l, const char *key, int64_t wall)
{
    char text[CLOCK_TEXT_SIZE];

    clock_text(wall, text);
    listing_text(l, key, wall > 0 ? text : NULL);
}

/* What is to become of a recipient when its attempt ends, by enum recipient_wish. */
static const struct {
    const char *name, *line;
} wishes[] = {{NULL, ""}, {"hold", ", to be held"}, {"discard", ", to be discarded"}, {"bounce", ", to be bounced"}};

static void print_line(struct listing *l, const struct queue_row *row, const char *wish)
{
    char id[QUEUE_ID_SIZE], added[CLOCK_TEXT_SIZE], next[CLOCK_TEXT_SIZE], route[32];

    queue_id_text(row->id, id);
    clock_text(row->added, added);
    clock_text(row->next, next);
    snprintf(route, sizeof route, " - Route: %lld", (long long)row->route);
    listing_line(l, "%s - From: <%.*s> - To: <%.*s> - Status: %s%s - Added: %s%s%s%s%s%.*s", id, STR_ARG(row->sender), STR_ARG(row->recipient),
                 recipient_state_name(row->state), wish, added, row->next > 0 ? " - Next attempt: " : "", row->next > 0 ? next : "",
                 row->route > 0 ? route : "", row->reason.length > 0 ? " - Reason: " : "", STR_ARG(row->reason));
}

static void print_row(void *context, const struct queue_row *row)
{
    const size_t wish = row->wish <= WISH_BOUNCE ? row->wish : WISH_NOTHING;
    struct listing *l = context;
    char id[QUEUE_ID_SIZE];

    queue_id_text(row->id, id);
    listing_text(l, "id", id);
    listing_str(l, "sender", row->sender);
    listing_str(l, "recipient", row->recipient);
    listing_text(l, "status", recipient_state_name(row->state));
    add_time(l, "added", row->added);
    add_time(l, "next", row->next);
    listing_number(l, "attempts", row->attempts);
    listing_str(l, "reason", row->reason);
    listing_number(l, "size", row->size);
    listing_text(l, "wish", wishes[wish].name);
    listing_number(l, "route", row->route);
    print_line(l, row, wishes[wish].line);
    listing_end_row(l);
}

static int read_limit(struct invocation *i, int64_t *limit)
{
    const char *text = invocation_value(i, "limit");
    uint64_t value = 0;

    if (text != NULL && (!str_number(str_of(text), INT64_MAX, &value) || value == 0)) {
        invocation_fail(i, "--limit: \"%s\" is no number of lines", text);
        return EXIT_USAGE;
    }
    *limit = (int64_t)value;
    return EXIT_DONE;
}

static int list(struct invocation *i, const struct selection *s, int64_t limit)
{
    struct queue q;
    struct listing *l;
    bool ok;
    int status = queue_words_open(i, &q);

    if (status != EXIT_DONE)
        return status;
    l = listing_open(i->json);
    ok = rows_list(&q, s, limit, print_row, l);
    listing_close(&l); /* queue_words_close looks at standard output */
    return queue_words_close(i, &q, ok);
}

static int run_list(struct invocation *i)
{
    struct selection s;
    int64_t limit;
    int status = queue_words_select(i, &s);

    if (status == EXIT_DONE)
        status = read_limit(i, &limit);
    if (status == EXIT_DONE)
        status = list(i, &s, limit);
    selection_done(&s);
    return status;
}

static int count(struct invocation *i, const struct selection *s)
{
    struct queue q;
    struct queue_count c;
    bool ok;
    int status = queue_words_open(i, &q);

    if (status != EXIT_DONE)
        return status;
    ok = rows_count(&q, s, &c);
    if (ok && i->json)
        printf("{\"messages\": %lld, \"recipients\": %lld}\n", (long long)c.messages, (long long)c.recipients);
    else if (ok)
        printf("%lld messages, %lld recipients\n", (long long)c.messages, (long long)c.recipients);
    return queue_words_close(i, &q, ok);
}

static int run_count(struct invocation *i)
{
    struct selection s;
    int status = queue_words_select(i, &s);

    if (status == EXIT_DONE)
        status = count(i, &s);
    selection_done(&s);
    return status;
}

static const struct option_spec list_options[] = {QUEUE_SELECTION_OPTIONS("to"), {"limit", NULL, "NUMBER", "only so many lines"}, {0}};
static const struct option_spec count_options[] = {QUEUE_SELECTION_OPTIONS("to"), {0}};
static const struct option_spec show_options[] = {{"body", NULL, NULL, "the body, too"}, {0}};
static const struct option_spec change_options_of_all[] = {
    QUEUE_SELECTION_OPTIONS("to"), {"all", NULL, NULL, "everything"}, QUEUE_YES_OPTION, {0}};
static const struct option_spec reroute_options[] = {
    QUEUE_SELECTION_OPTIONS("recipient"), {"all", NULL, NULL, "everything"}, QUEUE_YES_OPTION,
    {"to", NULL, "ROUTE", "the ID of the route to take (tmail routes list), or none: the rules decide again"}, {0}};

#define SELECTS "  Without IDs it is for all that the options select: it shows how much that is and asks, or needs --yes where it cannot ask."
#define WHEN_OVER "  What is being delivered is marked, and treated so when its attempt ends without success."

static const struct command commands[] = {
    {.verb = "list", .listing = true, .options = list_options, .run = run_list,
     .help = "List what waits, a line a recipient, in the order of arrival.  All options that are given must hold."},
    {.verb = "count", .listing = true, .options = count_options, .run = run_count,
     .help = "Count messages and recipients, those of list with the same options."},
    {.verb = "show", .words = "ID", .words_min = 1, .words_max = 1, .listing = true, .options = show_options, .run = queue_show,
     .help = "Show a message: envelope, recipients, what has happened to each, and the header; control characters become ?.  --json prints one"
             " object."},
    {.verb = "flush", .words = "[ID...|DOMAIN...]", .words_max = -1, .options = change_options_of_all, .run = queue_flush,
     .help = "Try again now: everything, messages, or the recipients of a domain.  Hosts that are remembered as dead are tried, too.  What is"
             " held stays held.  With options it is for what they select: it shows how much that is and asks, or needs --yes where it"
             " cannot ask."},
    {.verb = "hold", .words = "[ID...]", .words_max = -1, .options = change_options_of_all, .run = queue_hold,
     .help = "Keep messages from being tried until they are released." WHEN_OVER SELECTS},
    {.verb = "release", .words = "[ID...]", .words_max = -1, .options = change_options_of_all, .run = queue_release,
     .help = "Schedule the held and the failed recipients of messages at once.  What is being delivered loses its mark: hold, discard or bounce"
             " will not be done." SELECTS},
    {.verb = "discard", .words = "[ID...]", .words_max = -1, .options = change_options_of_all, .run = queue_discard,
     .help = "Remove messages without telling anybody." WHEN_OVER SELECTS},
    {.verb = "bounce", .words = "[ID...]", .words_max = -1, .options = change_options_of_all, .run = queue_bounce,
     .help = "Give messages up and report that to their senders, whatever TMAIL_BOUNCE_ENABLED says.  What has failed before is reported with"
             " its own reason, the rest as bounced by the administrator." WHEN_OVER SELECTS},
    {.verb = "reroute", .words = "[ID...]", .words_max = -1, .options = reroute_options, .run = queue_reroute,
     .help = "Send messages by the route of --to whatever the rules say, and try them now; what is held or has failed goes that way once it is"
             " released.  If the route is deleted they wait until they get another one." SELECTS},
    {.verb = "purge", .words = "[ID...]", .words_max = -1, .options = change_options_of_all, .run = queue_purge,
     .help = "Remove what has failed and is kept because TMAIL_BOUNCE_ENABLED is false, without telling anybody.  What waits, is held or is being"
             " delivered stays.  Without IDs and options it is for all of it; it shows how much that is and asks, or needs --yes where it"
             " cannot ask."},
    {.verb = "export", .words = "ID", .words_min = 1, .words_max = 1, .run = queue_export,
     .help = "Write a message to standard output as it is stored, header and body and nothing else."},
    {.verb = "stats", .listing = true, .options = queue_stats_options, .run = queue_stats,
     .help = "Count what waits by destination and age, and why.  A row says how many recipients of a destination wait (T), how many of them"
             " for less than 5, 10, 20 and so on minutes, since when, and when the next is due; failed ones do not wait.  The reasons of"
             " recipients that have been tried are counted with what differs from one to the next, such as addresses, numbers and ids, left"
             " out (*), each with the hosts that it is about.  --json prints one object."},
    {.verb = "sql", .words = "STATEMENT", .words_min = 1, .words_max = 1, .listing = true, .run = queue_sql,
     .help = "Ask the queue's database: one SELECT, which reads and cannot do anything else.  The views v_message, v_recipient, v_attempt"
             " and v_destination are made for it and are described below; times in them are UTC, and ids as they are shown everywhere."
             "  Values stand between \" | \", a BLOB as its size; --json prints a row as an object by the names of the columns.  While a"
             " question is being answered the database's log cannot start over: do not leave one in a pager for long."},
    {.verb = "check", .listing = true, .run = queue_check,
     .help = "Check whether the queue's database is whole: SQLite's own look at the file, and what is always true of messages and"
             " recipients.  A line a problem, with what to do; the exit status is 1 when there is one.  It repairs nothing, and may be used"
             " beside a running daemon."},
};

const struct command_group queue_group = {
    .noun = "queue",
    .help = "the messages that wait",
    .commands = commands,
    .count = sizeof commands / sizeof commands[0],
};

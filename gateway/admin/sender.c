#include "admin/change.h"
#include "admin/groups.h"
#include "admin/listing.h"
#include "directory/senders.h"

static int change(struct invocation *i, struct status (*verb)(struct tables *t, struct str login, struct str sender))
{
    struct tables *t;
    struct status s;
    int result = change_open(i, &t);

    if (result != EXIT_DONE)
        return result;
    s = verb(t, str_of(i->words[0]), str_of(i->words[1]));
    return change_close(i, &t, &s);
}

static int run_add(struct invocation *i)
{
    return change(i, senders_add);
}

static int run_del(struct invocation *i)
{
    return change(i, senders_del);
}

static void print_row(void *context, const struct sender_row *r)
{
    struct listing_rows *rows = context;

    rows->count++;
    listing_number(rows->listing, "id", r->id);
    listing_str(rows->listing, "login", r->login);
    listing_str(rows->listing, "sender", r->sender);
    listing_line(rows->listing, "%.*s %.*s", STR_ARG(r->login), STR_ARG(r->sender));
    listing_end_row(rows->listing);
}

static struct status list(struct tables *t, struct listing_rows *rows)
{
    return senders_list(t, rows->word, print_row, rows);
}

static int run_list(struct invocation *i)
{
    return change_list(i, list, "There are no senders: users send from their logins and from aliases of theirs.");
}

static const struct command commands[] = {
    {.verb = "add", .words = "LOGIN ADDRESS|DOMAIN", .words_min = 2, .words_max = 2, .options = change_options, .run = run_add,
     .help = "Let LOGIN send from ADDRESS, or from all addresses of DOMAIN."},
    {.verb = "del", .words = "LOGIN ADDRESS|DOMAIN", .words_min = 2, .words_max = 2, .options = change_options, .run = run_del,
     .help = "Take that back."},
    {.verb = "list", .words = "[LOGIN]", .words_max = 1, .listing = true, .options = change_options, .run = run_list,
     .help = "List what was added, for all users or for LOGIN."},
};

const struct command_group sender_group = {
    .noun = "sender",
    .help = "the addresses that users may send from beside their logins and aliases (TMAIL_SMTPD_SENDER_LOGIN)",
    .commands = commands,
    .count = sizeof commands / sizeof commands[0],
};

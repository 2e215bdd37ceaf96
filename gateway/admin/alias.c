#include "admin/alias_notes.h"
#include "admin/change.h"
#include "admin/groups.h"
#include "admin/listing.h"
#include "directory/aliases.h"

static const struct option_spec add_options[] = {
    {"deliver-to", "d", "ADDRESSES",
     "the addresses that it stands for, here or elsewhere, separated by ; or spaces; for a domain, a local domain"},
    {"pipe", "p", "COMMAND", "a command that gets the message on its standard input"},
    {"minilist", "m", NULL, "a mailing list: the addresses get the mail from the list, which takes what comes back"},
    CHANGE_OPTION_CREATE,
    {0},
};

static int run_add(struct invocation *i)
{
    const struct new_alias a = {
        .alias = str_of(i->words[0]),
        .deliver_to = str_of(invocation_value(i, "deliver-to")),
        .command = str_of(invocation_value(i, "pipe")),
        .is_list = invocation_has(i, "minilist"),
        .delimiter = i->conf->recipient_delimiter[0],
    };
    struct tables *t;
    struct status s;
    int result = change_open(i, &t);

    if (result != EXIT_DONE)
        return result;
    s = aliases_add(t, &a);
    if (status_is_ok(&s))
        alias_notes(i, t, &a);
    return change_close(i, &t, &s);
}

static int run_del(struct invocation *i)
{
    return change_word(i, aliases_del);
}

static void print_row(void *context, const struct alias_row *r)
{
    struct listing_rows *rows = context;
    struct str list = r->deliver_to, item;

    rows->count++;
    listing_number(rows->listing, "id", r->id);
    listing_str(rows->listing, "alias", r->alias);
    change_list_optional(rows, "deliver_to", r->deliver_to);
    change_list_optional(rows, "pipe", r->pipe);
    listing_bool(rows->listing, "is_dom_alias", r->is_domain);
    listing_bool(rows->listing, "is_mini_list", r->is_mini_list);
    listing_line(rows->listing, "%.*s", STR_ARG(r->alias));
    if (r->pipe.length > 0)
        listing_line(rows->listing, "  Pipe: %.*s", STR_ARG(r->pipe));
    if (r->is_mini_list)
        listing_line(rows->listing, "  Mini-list");
    while (str_cut_any(&list, "; ", &item))
        if (item.length > 0)
            listing_line(rows->listing, "  -> %.*s", STR_ARG(item));
    listing_end_row(rows->listing);
}

static struct status list(struct tables *t, struct listing_rows *rows)
{
    return aliases_list(t, print_row, rows);
}

static int run_list(struct invocation *i)
{
    return change_list(i, list, "There are no aliases.");
}

static const struct command commands[] = {
    {.verb = "add", .words = "ALIAS", .words_min = 1, .words_max = 1, .options = add_options, .run = run_add,
     .help = "Let ALIAS, an address of a local domain, stand for other addresses, for a command, or for both.  Mail for it"
             " goes to them instead, as if the client had named them; to other hosts from a sender of TMAIL_SRS_DOMAIN, where that is set."
             "  An alias may stand for aliases, but not for itself: where it is to keep its mail, too, give the mailbox another name."
             "  COMMAND is a program and its words, split at spaces; quotes keep words together, and there is no shell.  The program is an"
             " absolute path, or is found in /usr/local/bin, /usr/bin or /bin; it runs as TMAIL_PIPE_USER for TMAIL_LOCAL_TIMEOUT at most."
             "  It ends with 0 when it is done, with 4 or 75 to be run again later, and with 5 to refuse the message."
             "  With -m failures of the list's mail come to NAME-bounces of the same domain: to such a mailbox or alias, or else to the"
             " domain's postmaster."
             "  ALIAS may also be a domain, that of -d is then a local one: mail for NAME@ALIAS comes to NAME of the other domain, its"
             " mailbox, alias or catch-all."},
    {.verb = "del", .words = "ALIAS", .words_min = 1, .words_max = 1, .options = change_options, .run = run_del,
     .help = "Delete ALIAS.  A domain is no longer one of those that mail is accepted for."},
    {.verb = "list", .listing = true, .options = change_options, .run = run_list,
     .help = "List the aliases and what they stand for."},
};

const struct command_group alias_group = {
    .noun = "alias",
    .help = "addresses and domains that stand for others",
    .commands = commands,
    .count = sizeof commands / sizeof commands[0],
};

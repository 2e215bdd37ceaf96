#include "admin/change.h"
#include "admin/groups.h"
#include "admin/listing.h"
#include "directory/aliases.h"

static const struct option_spec add_options[] = {
    {"deliver-to", "d", "ADDRESSES", "the addresses that it stands for, here or elsewhere, separated by ; or spaces"},
    CHANGE_OPTION_CREATE,
    {0},
};

static int run_add(struct invocation *i)
{
    struct tables *t;
    struct status s;
    int result = change_open(i, &t);

    if (result != EXIT_DONE)
        return result;
    s = aliases_add(t, str_of(i->words[0]), str_of(invocation_value(i, "deliver-to")));
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
     .help = "Let the address ALIAS, of a local domain, stand for other addresses.  Mail for it goes to them instead, as if the client had"
             " named them; to other hosts from a sender of TMAIL_SRS_DOMAIN, where that is set.  An alias may stand for aliases, but not"
             " for itself: where it is to keep its mail, too, give the mailbox another name."},
    {.verb = "del", .words = "ALIAS", .words_min = 1, .words_max = 1, .options = change_options, .run = run_del,
     .help = "Delete ALIAS."},
    {.verb = "list", .listing = true, .options = change_options, .run = run_list,
     .help = "List the aliases and what they stand for."},
};

const struct command_group alias_group = {
    .noun = "alias",
    .help = "addresses that stand for others",
    .commands = commands,
    .count = sizeof commands / sizeof commands[0],
};

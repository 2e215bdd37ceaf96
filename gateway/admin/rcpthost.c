#include "admin/change.h"
#include "admin/groups.h"
#include "admin/listing.h"
#include "directory/rcpthosts.h"

static const struct option_spec add_options[] = {
    {"local", "l", NULL, "the domain's mailboxes are here; without it mail is relayed"},
    CHANGE_OPTION_CREATE,
    {0},
};

static struct status add_local(struct tables *t, struct str domain)
{
    return rcpthosts_add(t, domain, true);
}

static struct status add_remote(struct tables *t, struct str domain)
{
    return rcpthosts_add(t, domain, false);
}

static int run_add(struct invocation *i)
{
    return change_word(i, invocation_has(i, "local") ? add_local : add_remote);
}

static int run_del(struct invocation *i)
{
    return change_word(i, rcpthosts_del);
}

static void print_row(void *context, const struct rcpthost_row *r)
{
    struct listing_rows *rows = context;

    rows->count++;
    listing_number(rows->listing, "id", r->id);
    listing_str(rows->listing, "hostname", r->hostname);
    listing_bool(rows->listing, "is_local", r->host.is_local);
    listing_bool(rows->listing, "is_alias", r->host.is_alias);
    listing_line(rows->listing, "%lld %.*s %s%s", (long long)r->id, STR_ARG(r->hostname), r->host.is_local ? "local" : "remote",
                 r->host.is_alias ? " alias" : "");
    listing_end_row(rows->listing);
}

static struct status list(struct tables *t, struct listing_rows *rows)
{
    return rcpthosts_list(t, print_row, rows);
}

static int run_list(struct invocation *i)
{
    return change_list(i, list, "There are no rcpthosts.");
}

static const struct command commands[] = {
    {.verb = "add", .words = "DOMAIN", .words_min = 1, .words_max = 1, .options = add_options, .run = run_add,
     .help = "Accept mail for DOMAIN."},
    {.verb = "del", .words = "DOMAIN", .words_min = 1, .words_max = 1, .options = change_options, .run = run_del,
     .help = "Accept no more mail for DOMAIN.  Its mailboxes and aliases stay, and are back when it is added again.  One that is an alias,"
             " or that domain aliases stand for, is not deleted while they are there."},
    {.verb = "list", .listing = true, .options = change_options, .run = run_list,
     .help = "List the domains that mail is accepted for."},
};

const struct command_group rcpthost_group = {
    .noun = "rcpthost",
    .help = "the domains that tmail accepts mail for",
    .commands = commands,
    .count = sizeof commands / sizeof commands[0],
};

#include "admin/change.h"
#include "admin/groups.h"
#include "admin/listing.h"
#include "directory/relayips.h"

static int run_add(struct invocation *i)
{
    return change_word(i, relayips_add);
}

static int run_del(struct invocation *i)
{
    return change_word(i, relayips_del);
}

static void print_row(void *context, int64_t id, struct str ip)
{
    struct listing_rows *rows = context;

    rows->count++;
    listing_number(rows->listing, "id", id);
    listing_str(rows->listing, "ip", ip);
    listing_line(rows->listing, "%lld %.*s", (long long)id, STR_ARG(ip));
    listing_end_row(rows->listing);
}

static struct status list(struct tables *t, struct listing_rows *rows)
{
    return relayips_list(t, print_row, rows);
}

static int run_list(struct invocation *i)
{
    return change_list(i, list, "There are no authorized IPs.");
}

static const struct command commands[] = {
    {.verb = "add", .words = "IP[/LEN]", .words_min = 1, .words_max = 1, .options = change_options, .run = run_add,
     .help = "Let this client, or the clients of this network, relay anywhere."},
    {.verb = "del", .words = "IP[/LEN]", .words_min = 1, .words_max = 1, .options = change_options, .run = run_del,
     .help = "Take an entry off the list, as it was added."},
    {.verb = "list", .listing = true, .options = change_options, .run = run_list,
     .help = "List the clients that may relay anywhere."},
};

const struct command_group relayip_group = {
    .noun = "relayip",
    .help = "the clients that may relay anywhere",
    .commands = commands,
    .count = sizeof commands / sizeof commands[0],
};

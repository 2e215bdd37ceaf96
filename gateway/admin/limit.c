#include "admin/change.h"
#include "admin/groups.h"
#include "admin/listing.h"
#include "directory/limits.h"

static const struct option_spec name_options[] = {
    {"destination", "d", "DOMAIN", "mail to this domain, whichever way it goes"},
    {"remoteHost", "rh", "HOST", "mail to this next hop: the host of routes, or the destination domain where its MX is the way"},
    {"remotePort", "rp", "PORT", "to this port of the host alone; without it each of its ports is counted for itself"},
    CHANGE_OPTION_CREATE,
    {0},
};

static bool read_port(const struct invocation *i, struct limit_row *r)
{
    const char *text = invocation_value(i, "remotePort");
    uint64_t port;

    if (text == NULL)
        return true;
    if (!str_number(str_of(text), 65535, &port) || port == 0)
        return false;
    r->port = (int64_t)port;
    return true;
}

static int read_row(const struct invocation *i, struct limit_row *r)
{
    const bool domain = invocation_has(i, "destination"), hop = invocation_has(i, "remoteHost");

    *r = (struct limit_row){.kind = domain ? LIMIT_DOMAIN : LIMIT_HOP,
                            .name = str_of(invocation_value(i, domain ? "destination" : "remoteHost")),
                            .rate = str_of(i->word_count > 0 ? i->words[0] : NULL)};
    if (domain == hop)
        (void)invocation_fail(i, "either a domain (-d) or a next hop (-rh) is needed");
    else if (domain && invocation_has(i, "remotePort"))
        (void)invocation_fail(i, "a domain has no port (-rp goes with -rh)");
    else if (!read_port(i, r))
        return invocation_fail(i, "\"%s\" is no port (expected 1 to 65535)", invocation_value(i, "remotePort"));
    else
        return EXIT_DONE;
    return EXIT_USAGE;
}

static int change(struct invocation *i, struct status (*verb)(struct tables *t, const struct limit_row *r))
{
    struct limit_row r;
    struct tables *t;
    struct status s;
    int result = read_row(i, &r);

    if (result == EXIT_DONE)
        result = change_open(i, &t);
    if (result != EXIT_DONE)
        return result;
    s = verb(t, &r);
    return change_close(i, &t, &s);
}

static int run_add(struct invocation *i)
{
    return change(i, limits_add);
}

static int run_del(struct invocation *i)
{
    return change(i, limits_del);
}

static void print_line(struct listing *l, const struct limit_row *r)
{
    if (r->port != LIMIT_ANY_PORT)
        listing_line(l, "%s %.*s port %lld: %.*s", limit_kind_name(r->kind), STR_ARG(r->name), (long long)r->port, STR_ARG(r->rate));
    else
        listing_line(l, "%s %.*s: %.*s", limit_kind_name(r->kind), STR_ARG(r->name), STR_ARG(r->rate));
}

static void print_row(void *context, const struct limit_row *r)
{
    struct listing_rows *rows = context;

    rows->count++;
    listing_number(rows->listing, "id", r->id);
    listing_text(rows->listing, "kind", limit_kind_name(r->kind));
    listing_str(rows->listing, "name", r->name);
    if (r->port != LIMIT_ANY_PORT)
        listing_number(rows->listing, "port", r->port);
    else
        listing_text(rows->listing, "port", NULL);
    listing_str(rows->listing, "rate", r->rate);
    print_line(rows->listing, r);
    listing_end_row(rows->listing);
}

static struct status list(struct tables *t, struct listing_rows *rows)
{
    return limits_list(t, print_row, rows);
}

static int run_list(struct invocation *i)
{
    return change_list(i, list, "There are no limits: TMAIL_DELIVERD_DESTINATION_RATE and TMAIL_DELIVERD_DOMAIN_RATE count for all.");
}

static const struct command commands[] = {
    {.verb = "add", .words = "RATE", .words_min = 1, .words_max = 1, .options = name_options, .run = run_add,
     .help = "Limit the messages that go to a domain (-d) or a next hop (-rh), in place of the configuration's rate and of an earlier"
             " limit.  RATE is N/second, N/minute or N/hour, or none for as many as come.  A message counts once for each way that its"
             " recipients take.  The change is in force for a running daemon within a second; mail that was held back before comes when it"
             " is due, or at once after tmail queue flush."},
    {.verb = "del", .options = name_options, .run = run_del,
     .help = "Take a limit back: the configuration's rate (TMAIL_DELIVERD_DESTINATION_RATE, TMAIL_DELIVERD_DOMAIN_RATE) counts again."},
    {.verb = "list", .listing = true, .options = change_options, .run = run_list,
     .help = "List the limits of domains and next hops."},
};

const struct command_group limit_group = {
    .noun = "limit",
    .help = "how many messages a time go to a domain or a next hop",
    .commands = commands,
    .count = sizeof commands / sizeof commands[0],
};

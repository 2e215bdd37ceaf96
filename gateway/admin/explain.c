#include "admin/change.h"
#include "admin/explain_print.h"
#include "admin/groups.h"
#include "deliverd/rates.h"
#include "directory/names.h"
#include "message/envelope.h"
#include "net/http.h"

#include <stdio.h>
#include <string.h>

/* All that a question needs and an answer points into. */
struct question {
    struct arena arena;
    struct directory directory;
    struct way_means means;
    struct envelope envelope;
    struct path from, to;
    struct route_plan plan;
};

static bool read_from(struct path *path, const char *text, struct arena *arena)
{
    *path = (struct path){0};
    return text[0] == '\0' || strcmp(text, "<>") == 0 || path_parse_address(path, str_of(text), arena) == PATH_OK;
}

static int read_words(struct invocation *i, struct question *q)
{
    const char *from = invocation_value(i, "from"), *to = invocation_value(i, "to"), *user = invocation_value(i, "user");
    char login[NAME_SIZE] = "";

    if (from == NULL || to == NULL)
        (void)invocation_fail(i, "--from and --to are needed");
    else if (!read_from(&q->from, from, &q->arena))
        (void)invocation_fail(i, "\"%s\" is no address (expected LOCAL@DOMAIN, or <> for none)", from);
    else if (path_parse_address(&q->to, str_of(to), &q->arena) != PATH_OK || q->to.host.length == 0)
        (void)invocation_fail(i, "\"%s\" is no address (expected LOCAL@DOMAIN)", to);
    else if (user != NULL && !name_login(str_of(user), login))
        (void)invocation_fail(i, "\"%s\" is no login", user);
    else {
        envelope_init(&q->envelope, &q->arena);
        q->envelope.sender = q->from.address;
        q->envelope.sender_host = q->from.host;
        q->envelope.user = arena_str(&q->arena, str_of(login));
        return EXIT_DONE;
    }
    return EXIT_USAGE;
}

static bool open_means(struct question *q, const struct conf *conf, char *error, size_t size)
{
    if (!http_start())
        return str_copy(STR("libcurl cannot be started"), error, size) && false;
    return way_means_open(&q->means, conf, false, &q->arena, error, size) && directory_open_sql(&q->directory, conf->db_path, error, size);
}

static void close_means(struct question *q)
{
    way_means_close(&q->means);
    directory_close(&q->directory);
    arena_done(&q->arena);
}

/* Looks at all hosts, as an attempt would if none of them answered.  2xx: at least one may be tried. */
static struct status look(struct way *w, const struct question *q, const struct hop *hop, struct arena *arena)
{
    struct status status;
    bool usable = false;

    way_find(w, &q->means, hop, arena);
    status = w->status;
    for (size_t i = 0; i < w->count; i++) {
        way_look(w, i, &q->means, arena);
        if (i < w->count)
            status = w->hosts[i].status;
        usable = usable || (i < w->count && status_is_ok(&status));
    }
    if (w->count == 0)
        status = w->status;
    return usable ? status_ok() : status;
}

/* What limits the hop, or the destination where HOP is NULL; an unreadable table is no limit here, and has been logged. */
static struct rate find_rate(const struct conf *conf, const struct question *q, struct str domain, const struct hop *hop)
{
    struct limit_question question = {.kind = LIMIT_DOMAIN, .name = domain};
    struct rate rate;

    if (hop != NULL)
        question = (struct limit_question){.kind = LIMIT_HOP, .name = str_of(hop->host), .port = hop->port};
    return rates_find(conf, &q->directory, &question, &rate) ? rate : (struct rate){0};
}

/* A socket or a program of this host: there is nothing to look up. */
static bool is_here(const struct hop *hop)
{
    return hop->kind == HOP_LDA || hop->kind == HOP_COMMAND || hop->path != NULL;
}

static void find_ways(struct invocation *i, struct question *q, struct explanation *e)
{
    struct way *ways = arena_new(&q->arena, (q->plan.count + 1) * sizeof *ways);
    struct rate *rates = arena_new(&q->arena, (q->plan.count + 1) * sizeof *rates);
    bool usable = false;

    e->ways = ways;
    e->rates = rates;
    e->verdict = q->plan.status;
    for (size_t hop = 0; hop < q->plan.count && status_is_ok(&q->plan.status); hop++) {
        struct way *way = &ways[e->way_count++];

        rates[hop] = find_rate(i->conf, q, e->domain, &q->plan.hops[hop]);
        *way = (struct way){.hop = &q->plan.hops[hop], .status = status_ok()};
        e->verdict = is_here(way->hop) ? status_ok() : look(way, q, way->hop, &q->arena);
        usable = usable || status_is_ok(&e->verdict);
    }
    if (usable)
        e->verdict = status_ok();
}

/* Of the recipient that the mail would really go to. */
static void find_plan(struct invocation *i, struct question *q, const struct explain_local *local)
{
    const struct route_means means = {.conf = i->conf, .directory = &q->directory};
    const struct target *t = local->shown != NULL ? local->shown : local->targets;
    const struct recipient recipient = {.address = t != NULL ? t->path.address : q->to.address,
                                        .domain = t != NULL ? t->path.host : q->to.host};

    if (t != NULL && t->is_command)
        (void)route_find_command(&q->plan, &means, &recipient, &q->arena);
    else
        route_find(&q->plan, &means, &q->envelope, recipient.domain, &q->arena);
    route_take_turns(&q->plan, 0, &q->arena);
}

static void explain(struct invocation *i, struct question *q)
{
    struct explain_local local;
    struct explanation e = {.from = arena_text(&q->arena, q->from.address),
                            .to = invocation_value(i, "to"),
                            .domain = q->to.host,
                            .local = &local};

    explain_local_find(&local, &q->directory, i->conf, &q->to, &q->arena);
    e.verdict = local.status;
    if (!local.is_local || status_is_ok(&local.status)) {
        if (local.shown != NULL)
            e.domain = local.shown->path.host;
        e.domain_rate = find_rate(i->conf, q, e.domain, NULL);
        find_plan(i, q, &local);
        find_ways(i, q, &e);
    }
    (i->json ? explain_print_json : explain_print_text)(&e);
}

static int run_explain(struct invocation *i)
{
    struct question *q = &(struct question){0};
    char error[1024];
    int status;

    arena_init(&q->arena);
    status = read_words(i, q);
    if (status == EXIT_DONE)
        status = change_become(i);
    if (status == EXIT_DONE && !open_means(q, i->conf, error, sizeof error))
        status = invocation_fail(i, "%s", error);
    if (status == EXIT_DONE)
        explain(i, q);
    close_means(q);
    if (status == EXIT_DONE && (fflush(stdout) != 0 || ferror(stdout)))
        status = invocation_fail(i, "standard output could not be written");
    return status;
}

static const struct option_spec options[] = {
    {"from", NULL, "ADDRESS", "sender of the message, <> for none"},
    {"to", NULL, "ADDRESS", "its recipient"},
    {"user", NULL, "LOGIN", "who has logged in to send it"},
    CHANGE_OPTION_CREATE,
    {0},
};

static const struct command commands[] = {
    {.listing = true, .options = options, .run = run_explain,
     .help = "Explain which way a message would go.  It prints the route, or the hosts of the destination's MX, in the order in which they"
             " would be tried: each with its addresses, whether DNSSEC proves them, and how the connection would be protected and why."
             "  Of a recipient of ours it says what that is: a mailbox, an alias, and who gets its mail; and then the way of the first of"
             " them.  Nothing is sent, and nobody is connected to but the DNS and the web server of an MTA-STS policy;"
             " passwords of routes are not opened, and source addresses not tried.  Routes of the same priority take turns, and are shown"
             " in one of their orders.  The exit status is 0 whatever the verdict; --json prints one object."},
};

const struct command_group explain_group = {
    .noun = "explain",
    .help = "which way a message would go, and why",
    .commands = commands,
    .count = sizeof commands / sizeof commands[0],
};

#include "admin/change.h"
#include "admin/groups.h"
#include "admin/listing.h"
#include "base/file.h"
#include "admin/secret.h"
#include "directory/routes.h"
#include "directory/routes_import.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const struct option_spec add_options[] = {
    {"destination", "d", "DOMAIN", "mail to this domain; without it to all"},
    {"remoteHost", "rh", "HOST", "the next hop: a name, an IP address, mx for the destination's MX, or lmtp:unix:/PATH or lmtp:HOST:PORT for a server that takes mail by LMTP"},
    {"remotePort", "rp", "PORT", "its port, 25 without this"},
    {"priority", "p", "NUMBER", "lower goes first, equal ones take turns; 1 without this"},
    {"localIp", "l", "IPS", "source addresses: \"IP&IP\" in order, \"IP|IP\" in turn; TMAIL_DELIVERD_LOCAL_IPS without this"},
    {"smtpUser", "u", "USER", "only mail of this login, or of all logins of this domain"},
    {"mailFrom", "f", "SENDER", "only mail from this address or domain; needs -u"},
    {"remoteLogin", "rl", "LOGIN", "login at the next hop"},
    {"remotePasswd", "rpwd", "PASSWORD", "password at the next hop; without this and --oauth it is read from the terminal or standard"
                                     " input"},
    {"oauth", NULL, "NAME", "log in at the next hop with tokens of this OAuth client (tmail oauth add) instead of a password"},
    {"tls", NULL, "RULE", "none, may, encrypt, verify, dane or smtps, or one of those but none with +smtps behind; without this verify for"
                          " a route with a login, else TMAIL_DELIVERD_REMOTE_TLS and what the next hop publishes (DANE, MTA-STS)"},
    {"verp", NULL, NULL, "each recipient gets the message by itself, from a sender that names the recipient (VERP, see"
                         " TMAIL_VERP_DELIMITERS)"},
    CHANGE_OPTION_CREATE,
    {0},
};

/* The option NAME as a number; false when it is none that is at most MAX. */
static bool read_number(const struct invocation *i, const char *name, uint64_t max, int64_t *number)
{
    const char *text = invocation_value(i, name);
    uint64_t value;

    if (text == NULL)
        return true;
    if (!str_number(str_of(text), max, &value))
        return false;
    *number = (int64_t)value;
    return true;
}

static struct str option(const struct invocation *i, const char *name)
{
    return str_of(invocation_value(i, name));
}

/* Reads the password where a login has neither one nor an OAuth client; ROOM has SECRET_SIZE bytes. */
static int get_password(const struct invocation *i, struct route_row *r, char *room)
{
    const char *problem;

    if (r->login.length == 0 || invocation_has(i, "remotePasswd") || invocation_has(i, "oauth"))
        return EXIT_DONE;
    if (!secret_read(room, &problem))
        return invocation_fail(i, "%s", problem);
    r->password = str_of(room);
    return EXIT_DONE;
}

static int add(struct invocation *i, const struct route_row *r)
{
    struct secrets *secrets;
    struct tables *t;
    struct status s;
    int result = change_open(i, &t);

    if (result != EXIT_DONE)
        return result;
    secrets = secrets_new(i->conf->secret_key_path);
    s = routes_add(t, secrets, r);
    secrets_free(&secrets);
    return change_close(i, &t, &s);
}

static int run_add(struct invocation *i)
{
    struct route_row r = {
        .host = option(i, "destination"),
        .remote_host = option(i, "remoteHost"),
        .local_ips = option(i, "localIp"),
        .login = option(i, "remoteLogin"),
        .password = option(i, "remotePasswd"),
        .tls = option(i, "tls"),
        .oauth = option(i, "oauth"),
        .mail_from = option(i, "mailFrom"),
        .user = option(i, "smtpUser"),
        .port = ROUTE_PORT_DEFAULT,
        .priority = ROUTE_PRIORITY_DEFAULT,
        .verp = invocation_has(i, "verp"),
    };
    char typed[SECRET_SIZE];
    int result;

    if (!invocation_has(i, "remoteHost")) {
        invocation_fail(i, "a remote host (-rh) is needed");
        return EXIT_USAGE;
    }
    if (!read_number(i, "remotePort", 65535, &r.port))
        return invocation_fail(i, "\"%s\" is no port (expected 1 to 65535)", invocation_value(i, "remotePort"));
    if (!read_number(i, "priority", INT32_MAX, &r.priority))
        return invocation_fail(i, "\"%s\" is no priority (expected a number)", invocation_value(i, "priority"));
    result = get_password(i, &r, typed);
    if (result == EXIT_DONE)
        result = add(i, &r);
    explicit_bzero(typed, sizeof typed);
    return result;
}

static struct status del(struct tables *t, struct str id)
{
    uint64_t number;

    if (!str_number(id, INT64_MAX, &number))
        return tables_refused("\"%.*s\" is no route ID (expected a number, see tmail routes list)", STR_ARG(id));
    return routes_del(t, (int64_t)number);
}

static int run_del(struct invocation *i)
{
    return change_word(i, del);
}

static void print_line(struct listing *l, const struct route_row *r)
{
    const bool brackets = str_has(r->remote_host, ':');
    struct buf b = {0};

    buf_print(&b, "%lld - Destination host: %.*s", (long long)r->id, STR_ARG(r->host));
    if (r->user.length > 0)
        buf_print(&b, " - if user: %.*s", STR_ARG(r->user));
    if (r->mail_from.length > 0)
        buf_print(&b, " - if mail from: %.*s", STR_ARG(r->mail_from));
    if (r->map_order != ROUTE_NOT_IN_MAP)
        buf_print(&b, " - Map line: %lld", (long long)r->map_order + 1);
    buf_print(&b, " - Priority: %lld - Local IPs: ", (long long)r->priority);
    buf_add(&b, r->local_ips.length > 0 ? r->local_ips : STR("default"));
    buf_add_text(&b, " - Remote host: ");
    if (r->login.length > 0)
        buf_print(&b, r->oauth.length > 0 ? "%.*s@" : "%.*s:***@", STR_ARG(r->login));
    buf_print(&b, brackets ? "[%.*s]:%lld" : "%.*s:%lld", STR_ARG(r->remote_host), (long long)r->port);
    if (r->tls.length > 0)
        buf_print(&b, " - TLS: %.*s", STR_ARG(r->tls));
    if (r->oauth.length > 0)
        buf_print(&b, " - OAuth: %.*s", STR_ARG(r->oauth));
    if (r->verp)
        buf_add_text(&b, " - VERP");
    listing_line(l, "%s", buf_text(&b));
    buf_done(&b);
}

static void print_row(void *context, const struct route_row *r)
{
    struct listing_rows *rows = context;

    rows->count++;
    listing_number(rows->listing, "id", r->id);
    listing_str(rows->listing, "host", r->host);
    listing_str(rows->listing, "remote_host", r->remote_host);
    listing_number(rows->listing, "remote_port", r->port);
    listing_number(rows->listing, "priority", r->priority);
    change_list_optional(rows, "local_ip", r->local_ips);
    change_list_optional(rows, "user", r->user);
    change_list_optional(rows, "mail_from", r->mail_from);
    change_list_optional(rows, "smtp_auth_login", r->login);
    change_list_optional(rows, "tls", r->tls);
    change_list_optional(rows, "oauth", r->oauth);
    listing_bool(rows->listing, "verp", r->verp);
    if (r->map_order == ROUTE_NOT_IN_MAP)
        listing_text(rows->listing, "map_order", NULL);
    else
        listing_number(rows->listing, "map_order", r->map_order);
    print_line(rows->listing, r);
    listing_end_row(rows->listing);
}

static struct status list(struct tables *t, struct listing_rows *rows)
{
    return routes_list(t, print_row, rows);
}

static int run_list(struct invocation *i)
{
    return change_list(i, list, "There are no routes, all mail is routed by MX records.");
}

static int usage(const struct invocation *i, const char *what, const char *name)
{
    (void)invocation_fail(i, "%s%s (expected the files routes and routemap, and maybe defaultoutgoingip, by these names)", name, what);
    return EXIT_USAGE;
}

/* Sorts the words by what they are; EXIT_USAGE when one is not known, doubled or missing. */
static int name_files(const struct invocation *i, struct import_file files[IMPORT_PARTS])
{
    for (int word = 0; word < i->word_count; word++) {
        enum import_part part;

        if (!routes_import_part(i->words[word], &part))
            return usage(i, " is no file of qmail-remote's routes", i->words[word]);
        if (files[part].name != NULL)
            return usage(i, " is the second of its name", i->words[word]);
        files[part].name = i->words[word];
    }
    if (files[IMPORT_ROUTES].name == NULL)
        return usage(i, "there is no file routes", "");
    if (files[IMPORT_ROUTEMAP].name == NULL)
        return usage(i, "there is no file routemap", "");
    return EXIT_DONE;
}

static int read_files(const struct invocation *i, struct import_file files[IMPORT_PARTS], struct buf texts[IMPORT_PARTS])
{
    for (int part = 0; part < IMPORT_PARTS; part++) {
        if (files[part].name == NULL)
            continue;
        buf_init(&texts[part], IMPORT_FILE_MAX);
        if (!file_read(files[part].name, &texts[part]))
            return invocation_fail(i, "%s: %s", files[part].name, strerror(errno));
        files[part].text = texts[part].length > 0 ? buf_str(&texts[part]) : STR("");
    }
    return EXIT_DONE;
}

static int store(struct invocation *i, const struct routes_import *r)
{
    struct secrets *secrets;
    struct tables *t;
    struct status s;
    int result = change_open(i, &t);

    if (result != EXIT_DONE)
        return result;
    secrets = secrets_new(i->conf->secret_key_path);
    s = routes_import_store(t, secrets, r);
    secrets_free(&secrets);
    result = change_close(i, &t, &s);
    if (result == EXIT_DONE)
        printf("%zu lines of routemap imported, %zu routes read.\n", r->line_count, r->route_count);
    return result;
}

static int import(struct invocation *i, const struct import_file files[IMPORT_PARTS])
{
    struct routes_import r = {0};
    int result;

    if (routes_import_read(&r, files)) {
        result = store(i, &r);
    } else {
        fwrite(r.complaints.data, 1, r.complaints.length, stderr);
        result = invocation_fail(i, "nothing was imported");
    }
    routes_import_done(&r);
    return result;
}

static int run_import(struct invocation *i)
{
    struct import_file files[IMPORT_PARTS] = {0};
    struct buf texts[IMPORT_PARTS] = {0};
    int result = name_files(i, files);

    if (result == EXIT_DONE)
        result = read_files(i, files, texts);
    if (result == EXIT_DONE)
        result = change_become(i);
    if (result == EXIT_DONE)
        result = import(i, files);
    for (int part = 0; part < IMPORT_PARTS; part++)
        buf_done(&texts[part]);
    return result;
}

static const struct command commands[] = {
    {.verb = "add", .options = add_options, .run = run_add,
     .help = "Add a route.  The first of these that has routes is used: user with sender address and destination, user with sender domain"
             " and destination, user with destination, user; then, for all mail, destination, the imported map, all destinations."},
    {.verb = "del", .words = "ID", .words_min = 1, .words_max = 1, .options = change_options, .run = run_del,
     .help = "Delete the route ID."},
    {.verb = "list", .listing = true, .options = change_options, .run = run_list,
     .help = "List the routes; passwords are not shown."},
    {.verb = "import", .words = "FILE...", .words_min = 1, .words_max = -1, .options = change_options, .run = run_import,
     .keeps_identity = true,
     .help = "Read qmail-remote's control files routes, routemap and defaultoutgoingip.  They take the place of an earlier import;"
             " routes made by hand stay."},
};

const struct command_group routes_group = {
    .noun = "routes",
    .also = "route",
    .help = "which next hop mail takes",
    .commands = commands,
    .count = sizeof commands / sizeof commands[0],
};

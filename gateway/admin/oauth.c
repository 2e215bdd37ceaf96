#include "directory/oauth.h"

#include "admin/change.h"
#include "admin/groups.h"
#include "admin/listing.h"
#include "admin/secret.h"

#include <string.h>

enum { TOKEN_SIZE = OAUTH_TEXT_MAX + 2 };

static const struct option_spec update_options[] = {
    {"clientSecret", NULL, "SECRET", "the client's secret"},
    {"refreshToken", NULL, "TOKEN", "the refresh token"},
    {"scope", NULL, "SCOPE", "what is asked for, words separated by spaces; none for nothing"},
    {"secrets", NULL, NULL, "read secret and refresh token, where they are not given, from the terminal or as lines of standard input;"
                            " an empty line leaves what is there"},
    CHANGE_OPTION_CREATE,
    {0},
};

static const struct option_spec add_options[] = {
    {"tokenUrl", NULL, "URL", "the token endpoint, https://…"},
    {"clientId", NULL, "ID", "the client's ID there"},
    {"scope", NULL, "SCOPE", "what is asked for, words separated by spaces"},
    {"clientSecret", NULL, "SECRET", "the client's secret"},
    {"refreshToken", NULL, "TOKEN", "use this refresh token; without one the client's own credentials are used"},
    {"secrets", NULL, NULL, "read secret and refresh token, where they are not given, from the terminal or as lines of standard input;"
                            " an empty line stands for none"},
    CHANGE_OPTION_CREATE,
    {0},
};

/* The option NAME; without it, and with --secrets, what is typed into ROOM (TOKEN_SIZE bytes).  NULL after a complaint. */
static const char *get_secret(const struct invocation *i, const char *name, const char *prompt, char *room)
{
    const char *given = invocation_value(i, name), *problem;

    room[0] = '\0';
    if (given != NULL || !invocation_has(i, "secrets"))
        return given != NULL ? given : room;
    if (secret_read_once(prompt, room, TOKEN_SIZE, &problem))
        return room;
    (void)invocation_fail(i, "%s", problem);
    return NULL;
}

/* The client of the command line, and room for those of its secrets that were typed. */
struct typed {
    struct oauth_client client;
    char secret[TOKEN_SIZE], token[TOKEN_SIZE];
};

static bool get_secrets(const struct invocation *i, struct typed *to)
{
    to->client.client_secret = get_secret(i, "clientSecret", "Client secret: ", to->secret);
    if (to->client.client_secret != NULL)
        to->client.refresh_token = get_secret(i, "refreshToken", "Refresh token: ", to->token);
    return to->client.refresh_token != NULL;
}

typedef struct status (*oauth_change)(struct tables *t, struct secrets *secrets, const struct oauth_client *client);

static int change(struct invocation *i, struct typed *typed, oauth_change run)
{
    struct secrets *secrets;
    struct tables *t;
    struct status s;
    int result = get_secrets(i, typed) ? change_open(i, &t) : EXIT_FAILED;

    if (result == EXIT_DONE) {
        secrets = secrets_new(i->conf->secret_key_path);
        s = run(t, secrets, &typed->client);
        secrets_free(&secrets);
        result = change_close(i, &t, &s);
    }
    explicit_bzero(typed, sizeof *typed);
    return result;
}

static int run_add(struct invocation *i)
{
    static const char *const needed[] = {"tokenUrl", "clientId"};
    struct typed typed = {.client = {
        .name = i->words[0],
        .token_url = invocation_value(i, "tokenUrl"),
        .client_id = invocation_value(i, "clientId"),
        .scope = invocation_has(i, "scope") ? invocation_value(i, "scope") : "",
    }};

    for (size_t k = 0; k < sizeof needed / sizeof needed[0]; k++)
        if (!invocation_has(i, needed[k])) {
            (void)invocation_fail(i, "--%s is needed", needed[k]);
            return EXIT_USAGE;
        }
    return change(i, &typed, oauth_add);
}

static struct status update(struct tables *t, struct secrets *secrets, const struct oauth_client *client)
{
    return oauth_update(t, secrets, str_of(client->name), client);
}

static int run_update(struct invocation *i)
{
    const char *scope = invocation_value(i, "scope");
    struct typed typed = {.client = {.name = i->words[0], .scope = scope != NULL && strcmp(scope, "none") == 0 ? "" : scope}};

    if (!invocation_has(i, "scope") && !invocation_has(i, "clientSecret") && !invocation_has(i, "refreshToken") && !invocation_has(i, "secrets")) {
        (void)invocation_fail(i, "--clientSecret, --refreshToken, --secrets or --scope is needed");
        return EXIT_USAGE;
    }
    return change(i, &typed, update);
}

static int run_del(struct invocation *i)
{
    return change_word(i, oauth_del);
}

static void print_row(void *context, const struct oauth_client *client)
{
    struct listing_rows *rows = context;
    const bool secret = client->client_secret[0] != '\0', token = client->refresh_token[0] != '\0';

    rows->count++;
    listing_number(rows->listing, "id", client->id);
    listing_text(rows->listing, "name", client->name);
    listing_text(rows->listing, "token_url", client->token_url);
    listing_text(rows->listing, "client_id", client->client_id);
    change_list_optional(rows, "scope", str_of(client->scope));
    listing_bool(rows->listing, "client_secret", secret);
    listing_bool(rows->listing, "refresh_token", token);
    listing_line(rows->listing, "%s - Token endpoint: %s - Client: %s - Scope: %s - Client secret: %s - Refresh token: %s", client->name,
                 client->token_url, client->client_id, client->scope[0] != '\0' ? client->scope : "none", secret ? "yes" : "no",
                 token ? "yes" : "no");
    listing_end_row(rows->listing);
}

static struct status list(struct tables *t, struct listing_rows *rows)
{
    return oauth_list(t, print_row, rows);
}

static int run_list(struct invocation *i)
{
    return change_list(i, list, "There are no OAuth clients.");
}

static const struct command commands[] = {
    {.verb = "add", .words = "NAME", .words_min = 1, .words_max = 1, .options = add_options, .run = run_add,
     .help = "Add an OAuth client that gets tokens for routes.  Its secrets are stored sealed (TMAIL_SECRET_KEY_FILE); with --secrets they"
             " need not stand in the command line."},
    {.verb = "update", .words = "NAME", .words_min = 1, .words_max = 1, .options = update_options, .run = run_update,
     .help = "Give an OAuth client another secret, refresh token or scope.  It is used from the next token on."},
    {.verb = "del", .words = "NAME", .words_min = 1, .words_max = 1, .options = change_options, .run = run_del,
     .help = "Delete an OAuth client that no route uses."},
    {.verb = "list", .listing = true, .options = change_options, .run = run_list,
     .help = "List the OAuth clients; secrets are not shown, only whether there is one."},
};

const struct command_group oauth_group = {
    .noun = "oauth",
    .help = "where tokens for logins at next hops come from (tmail routes add --oauth)",
    .commands = commands,
    .count = sizeof commands / sizeof commands[0],
};

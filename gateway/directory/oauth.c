#include "directory/oauth.h"

#include "base/crypto.h"
#include "directory/names.h"
#include "directory/routes.h"
#include "directory/sealed.h"

bool oauth_name(struct str name, char *to)
{
    return name.length <= OAUTH_NAME_MAX && name_login(name, to);
}

enum answer oauth_has(struct tables *t, struct str name)
{
    return tables_ask(tables_query(t, "SELECT 1 FROM oauth_clients WHERE name = ?1"), name);
}

/* The secrets as they are stored. */
static void read_row(struct db_query *q, struct arena *arena, struct oauth_client *client)
{
    *client = (struct oauth_client){
        .id = db_int(q, 0),
        .name = arena_text(arena, db_str(q, 1)),
        .token_url = arena_text(arena, db_str(q, 2)),
        .client_id = arena_text(arena, db_str(q, 3)),
        .scope = arena_text(arena, db_str(q, 4)),
        .client_secret = arena_text(arena, db_str(q, 5)),
        .refresh_token = arena_text(arena, db_str(q, 6)),
    };
    client->stored_token = client->refresh_token;
}

static struct status find(struct tables *t, struct str name, struct arena *arena, struct oauth_client *client)
{
    struct db_query *q = tables_query(t, "SELECT id, name, token_url, client_id, scope, client_secret, refresh_token FROM oauth_clients"
                                         " WHERE name = ?1");
    bool found;

    *client = (struct oauth_client){0};
    if (q == NULL)
        return tables_failed(t);
    db_bind_str(q, 1, name);
    found = db_step(q);
    if (found)
        read_row(q, arena, client);
    if (!db_finish(q))
        return tables_failed(t);
    return found ? status_ok() : tables_refused("there is no OAuth client %.*s", STR_ARG(name));
}

static void write_context(const struct oauth_client *client, struct buf *to)
{
    buf_print(to, "oauth %s ", client->name);
    buf_add_text(to, client->token_url);
}

/* *TEXT as it is stored becomes what it says. */
static struct status open_secret(struct secrets *secrets, const struct oauth_client *client, struct arena *arena, const char **text)
{
    char error[SECRETS_ERROR_SIZE];
    struct buf context = {0}, plain = {0};
    bool ok;

    write_context(client, &context);
    ok = secrets_open(secrets, buf_str(&context), str_of(*text), &plain, error, sizeof error);
    if (ok)
        *text = arena_text(arena, buf_str(&plain));
    crypto_wipe_buf(&plain);
    buf_done(&context);
    return ok ? status_ok() : status_make(451, "4.7.0", "%s", error);
}

struct status oauth_find(struct tables *t, struct secrets *secrets, const char *name, struct arena *arena, struct oauth_client *client)
{
    struct status s = find(t, str_of(name), arena, client);

    if (status_is_ok(&s))
        s = open_secret(secrets, client, arena, &client->client_secret);
    if (status_is_ok(&s))
        s = open_secret(secrets, client, arena, &client->refresh_token);
    return s;
}

/* Appends SECRET sealed; nothing for none. */
static struct status seal_secret(struct secrets *secrets, const struct oauth_client *client, struct str secret, struct buf *to)
{
    char error[SECRETS_ERROR_SIZE];
    struct buf context = {0};
    bool ok;

    if (secret.length == 0)
        return status_ok();
    write_context(client, &context);
    ok = secrets_seal(secrets, buf_str(&context), secret, to, error, sizeof error);
    buf_done(&context);
    return ok ? status_ok() : tables_refused("%s", error);
}

/* https://HOST[:PORT]/…, without a login in it. */
static bool is_token_url(struct str url)
{
    struct str rest, host;

    if (!str_starts_nocase(url, STR("https://")) || str_has_control(url) || !str_is_ascii(url) || str_has(url, ' ') || str_has(url, '#'))
        return false;
    rest = str_from(url, sizeof "https://" - 1);
    return str_cut_any(&rest, "/?", &host) && host.length > 0 && host.data[0] != ':' && !str_has(host, '@');
}

/* RFC 6749 appendix A: visible ASCII and spaces. */
static bool is_plain_text(const char *text)
{
    const struct str s = str_of(text);

    return s.length <= OAUTH_TEXT_MAX && str_is_ascii(s) && !str_has_control(s);
}

static struct status check_new(const struct oauth_client *client, char *name)
{
    if (!oauth_name(str_of(client->name), name))
        return tables_refused("\"%s\" is no name (expected an address, or a word without @ and spaces, of at most %d characters)",
                              client->name, OAUTH_NAME_MAX);
    if (!is_token_url(str_of(client->token_url)) || !is_plain_text(client->token_url))
        return tables_refused("\"%s\" is no token endpoint (expected https://HOST/PATH)", client->token_url);
    if (client->client_id[0] == '\0' || !is_plain_text(client->client_id))
        return tables_refused("a client ID is needed, of printable ASCII");
    if (!is_plain_text(client->scope))
        return tables_refused("bad scope (expected words of printable ASCII)");
    if (!is_plain_text(client->client_secret) || !is_plain_text(client->refresh_token))
        return tables_refused("client secret or refresh token too long, or not of printable ASCII");
    if (client->client_secret[0] == '\0' && client->refresh_token[0] == '\0')
        return tables_refused("a client secret or a refresh token is needed");
    return status_ok();
}

static struct status insert(struct tables *t, const struct oauth_client *client, struct str client_secret, struct str refresh_token)
{
    struct db_query *q = tables_query(t, "INSERT INTO oauth_clients (name, token_url, client_id, scope, client_secret, refresh_token)"
                                         " VALUES (?1, ?2, ?3, ?4, ?5, ?6)");

    if (q == NULL)
        return tables_failed(t);
    db_bind_str(q, 1, str_of(client->name));
    db_bind_str(q, 2, str_of(client->token_url));
    db_bind_str(q, 3, str_of(client->client_id));
    db_bind_optional(q, 4, str_of(client->scope));
    db_bind_optional(q, 5, client_secret);
    db_bind_optional(q, 6, refresh_token);
    if (db_execute(q))
        return status_ok();
    return db_was_constraint(tables_db(t)) ? tables_refused("OAuth client %s already exists", client->name) : tables_failed(t);
}

struct status oauth_add(struct tables *t, struct secrets *secrets, const struct oauth_client *client)
{
    struct oauth_client normal = *client;
    struct buf client_secret = {0}, refresh_token = {0};
    char name[NAME_SIZE];
    struct status s = check_new(client, name);

    normal.name = name;
    if (status_is_ok(&s))
        s = sealed_check(t, secrets);
    if (status_is_ok(&s))
        s = seal_secret(secrets, &normal, str_of(client->client_secret), &client_secret);
    if (status_is_ok(&s))
        s = seal_secret(secrets, &normal, str_of(client->refresh_token), &refresh_token);
    if (status_is_ok(&s))
        s = insert(t, &normal, buf_str(&client_secret), buf_str(&refresh_token));
    buf_done(&client_secret);
    buf_done(&refresh_token);
    return s;
}

/* Nothing was stored: somebody has stored a newer token, or deleted the client. */
static struct status check_is_there(struct tables *t, const struct oauth_client *client)
{
    struct db_query *q = tables_query(t, "SELECT 1 FROM oauth_clients WHERE id = ?1 AND name = ?2 AND token_url = ?3");
    bool found;

    if (q == NULL)
        return tables_failed(t);
    db_bind_int(q, 1, client->id);
    db_bind_str(q, 2, str_of(client->name));
    db_bind_str(q, 3, str_of(client->token_url));
    found = db_step(q);
    if (!db_finish(q))
        return tables_failed(t);
    return found ? status_ok() : tables_refused("there is no OAuth client %s any more", client->name);
}

static struct status store_refresh_token(struct tables *t, const struct oauth_client *client, struct str sealed)
{
    struct db_query *q = tables_query(t, "UPDATE oauth_clients SET refresh_token = ?3 WHERE name = ?1 AND token_url = ?2 AND id = ?4"
                                         " AND ifnull(refresh_token, '') = ?5");
    struct status s;

    if (q == NULL)
        return tables_failed(t);
    db_bind_str(q, 1, str_of(client->name));
    db_bind_str(q, 2, str_of(client->token_url));
    db_bind_str(q, 3, sealed);
    db_bind_int(q, 4, client->id);
    db_bind_str(q, 5, str_of(client->stored_token));
    s = tables_execute(t, q);
    return status_is_ok(&s) && db_changes(tables_db(t)) == 0 ? check_is_there(t, client) : s;
}

struct status oauth_set_refresh_token(struct tables *t, struct secrets *secrets, const struct oauth_client *client,
                                      struct str refresh_token)
{
    struct buf sealed = {0};
    struct status s;

    if (refresh_token.length == 0)
        return tables_refused("the refresh token is empty");
    s = seal_secret(secrets, client, refresh_token, &sealed);
    if (status_is_ok(&s))
        s = store_refresh_token(t, client, buf_str(&sealed));
    buf_done(&sealed);
    return s;
}

static struct status store_changes(struct tables *t, int64_t id, struct str client_secret, struct str refresh_token, const char *scope)
{
    struct db_query *q = tables_query(t, "UPDATE oauth_clients SET client_secret = ifnull(?2, client_secret),"
                                         " refresh_token = ifnull(?3, refresh_token), scope = ifnull(?4, scope) WHERE id = ?1");

    if (q == NULL)
        return tables_failed(t);
    db_bind_int(q, 1, id);
    db_bind_optional(q, 2, client_secret);
    db_bind_optional(q, 3, refresh_token);
    if (scope != NULL)
        db_bind_str(q, 4, str_of(scope));
    else
        db_bind_null(q, 4);
    return tables_execute(t, q);
}

static struct status change(struct tables *t, struct secrets *secrets, const struct oauth_client *client, const struct oauth_client *changes)
{
    struct buf client_secret = {0}, refresh_token = {0};
    struct status s = seal_secret(secrets, client, str_of(changes->client_secret), &client_secret);

    if (status_is_ok(&s))
        s = seal_secret(secrets, client, str_of(changes->refresh_token), &refresh_token);
    if (status_is_ok(&s))
        s = store_changes(t, client->id, buf_str(&client_secret), buf_str(&refresh_token), changes->scope);
    buf_done(&client_secret);
    buf_done(&refresh_token);
    return s;
}

struct status oauth_update(struct tables *t, struct secrets *secrets, struct str name, const struct oauth_client *changes)
{
    struct arena arena = {0};
    struct oauth_client client = {0};
    char stored[NAME_SIZE];
    struct status s;

    if (!is_plain_text(changes->client_secret) || !is_plain_text(changes->refresh_token) || !is_plain_text(changes->scope))
        return tables_refused("client secret, refresh token or scope too long, or not of printable ASCII");
    s = tables_begin(t);
    if (status_is_ok(&s))
        s = find(t, name_stored_login(name, stored), &arena, &client);
    if (status_is_ok(&s))
        s = sealed_check(t, secrets);
    if (status_is_ok(&s))
        s = change(t, secrets, &client, changes);
    arena_done(&arena);
    return tables_end(t, s);
}

static struct status delete_unused(struct tables *t, struct str name)
{
    struct db_query *q = tables_query(t, "DELETE FROM oauth_clients WHERE name = ?1");
    enum answer used = routes_use_oauth(t, name);
    struct status s;

    if (q == NULL || used == ANSWER_FAILED)
        return tables_failed(t);
    if (used == ANSWER_YES)
        return tables_refused("a route logs in with OAuth client %.*s (see tmail routes list)", STR_ARG(name));
    db_bind_str(q, 1, name);
    s = tables_execute(t, q);
    if (status_is_ok(&s) && db_changes(tables_db(t)) == 0)
        s = tables_refused("there is no OAuth client %.*s", STR_ARG(name));
    return s;
}

struct status oauth_del(struct tables *t, struct str name)
{
    char stored[NAME_SIZE];
    struct status s = tables_begin(t);

    if (status_is_ok(&s))
        s = delete_unused(t, name_stored_login(name, stored));
    return tables_end(t, s);
}

struct status oauth_list(struct tables *t, void (*row)(void *context, const struct oauth_client *client), void *context)
{
    struct db_query *q = tables_query(t, "SELECT id, name, token_url, client_id, scope, client_secret, refresh_token FROM oauth_clients"
                                         " ORDER BY name");

    if (q == NULL)
        return tables_failed(t);
    while (db_step(q)) {
        struct oauth_client client;
        struct arena arena;

        arena_init(&arena);
        read_row(q, &arena, &client);
        row(context, &client);
        arena_done(&arena);
    }
    return db_finish(q) ? status_ok() : tables_failed(t);
}

#include "test.h"

#include "directory/oauth.h"

#include "place.h"

#include "directory/routes.h"

#include <stdlib.h>

static struct {
    struct place place;
    char path[256], error[512];
    struct tables *tables;
    struct secrets *secrets;
    struct arena arena;
} world;

static void setup(void)
{
    place_open(&world.place);
    world.secrets = secrets_new(place_path(&world.place, "secret.key"));
    snprintf(world.path, sizeof world.path, "%s", place_path(&world.place, "tmail.db"));
    world.tables = tables_open(world.path, world.error, sizeof world.error);
    if (world.tables == NULL) {
        fprintf(stderr, "%s\n", world.error);
        exit(1);
    }
    arena_init(&world.arena);
}

static void teardown(void)
{
    arena_done(&world.arena);
    tables_close(&world.tables);
    secrets_free(&world.secrets);
    place_close(&world.place);
}

static void sql(const char *text)
{
    if (!check(db_run(tables_db(world.tables), text)))
        printf("# %s: %s\n", text, db_error(tables_db(world.tables)));
}

static void check_ok(struct status s, const char *what)
{
    if (!check(status_is_ok(&s)))
        printf("# %s: %s\n", what, s.text);
}

static void check_refused(struct status s, const char *part)
{
    check_number(s.code, 550);
    check_has(s.text, part);
}

static const struct oauth_client office = {
    .name = "Office",
    .token_url = "https://login.example/tenant/token?x=y",
    .client_id = "id-1",
    .scope = "https://outlook.example/SMTP.Send offline_access",
    .client_secret = "a-secret-to-find",
    .refresh_token = "a-token-to-find",
};

static struct status find(const char *name, struct oauth_client *client)
{
    return oauth_find(world.tables, world.secrets, name, &world.arena, client);
}

static void what_was_added_is_found_opened(void)
{
    struct oauth_client client;

    setup();
    check_ok(oauth_add(world.tables, world.secrets, &office), "add");
    check_ok(find("office", &client), "find");
    check_text(client.name, "office");
    check_text(client.token_url, office.token_url);
    check_text(client.client_id, "id-1");
    check_text(client.scope, office.scope);
    check_text(client.client_secret, "a-secret-to-find");
    check_text(client.refresh_token, "a-token-to-find");
    check_refused(find("other", &client), "there is no OAuth client other");
    check_refused(find("offic%", &client), "there is no OAuth client");
    check_number(oauth_has(world.tables, STR("office")), ANSWER_YES);
    check_number(oauth_has(world.tables, STR("other")), ANSWER_NO);
    teardown();
}

static void what_is_not_given_is_empty(void)
{
    struct oauth_client client = {.name = "public", .token_url = "https://x.example", .client_id = "i", .scope = "", .client_secret = "",
                                  .refresh_token = "token"};

    setup();
    check_ok(oauth_add(world.tables, world.secrets, &client), "public client");
    check_ok(find("public", &client), "find");
    check_text(client.scope, "");
    check_text(client.client_secret, "");
    check_text(client.refresh_token, "token");
    client = (struct oauth_client){.name = "own", .token_url = "HTTPS://x.example:8443/", .client_id = "i", .scope = "",
                                   .client_secret = "s", .refresh_token = ""};
    check_ok(oauth_add(world.tables, world.secrets, &client), "client credentials");
    check_ok(find("own", &client), "find");
    check_text(client.refresh_token, "");
    teardown();
}

static void secrets_are_not_in_the_file(void)
{
    static const char *const tails[] = {"", "-wal"};

    setup();
    check_ok(oauth_add(world.tables, world.secrets, &office), "add");
    for (size_t i = 0; i < 2; i++) {
        static char bytes[1 << 20];
        char path[300];
        FILE *f;
        size_t length;

        snprintf(path, sizeof path, "%s%s", world.path, tails[i]);
        f = fopen(path, "r");
        length = f != NULL ? fread(bytes, 1, sizeof bytes, f) : 0;
        check(length > 0 && length < sizeof bytes);
        check(memmem(bytes, length, "-to-find", 8) == NULL);
        if (f != NULL)
            fclose(f);
    }
    teardown();
}

static void bad_clients_are_refused(void)
{
    static const struct {
        struct oauth_client client;
        const char *part;
    } table[] = {
        {{.name = "", .token_url = "https://x.example/", .client_id = "i", .client_secret = "s"}, "is no name"},
        {{.name = "a b", .token_url = "https://x.example/", .client_id = "i", .client_secret = "s"}, "is no name"},
        {{.name = "0123456789012345678901234567890123456789012345678901234567890123x", .token_url = "https://x.example/", .client_id = "i",
          .client_secret = "s"}, "is no name"},
        {{.name = "n", .token_url = "http://x.example/", .client_id = "i", .client_secret = "s"}, "is no token endpoint"},
        {{.name = "n", .token_url = "", .client_id = "i", .client_secret = "s"}, "is no token endpoint"},
        {{.name = "n", .token_url = "https://", .client_id = "i", .client_secret = "s"}, "is no token endpoint"},
        {{.name = "n", .token_url = "https:///token", .client_id = "i", .client_secret = "s"}, "is no token endpoint"},
        {{.name = "n", .token_url = "https://:443/", .client_id = "i", .client_secret = "s"}, "is no token endpoint"},
        {{.name = "n", .token_url = "https://me:pw@x.example/", .client_id = "i", .client_secret = "s"}, "is no token endpoint"},
        {{.name = "n", .token_url = "https://x.example/ a", .client_id = "i", .client_secret = "s"}, "is no token endpoint"},
        {{.name = "n", .token_url = "https://x.example/\r\nHost: y", .client_id = "i", .client_secret = "s"}, "is no token endpoint"},
        {{.name = "n", .token_url = "https://x.example/#f", .client_id = "i", .client_secret = "s"}, "is no token endpoint"},
        {{.name = "n", .token_url = "file:///etc/passwd", .client_id = "i", .client_secret = "s"}, "is no token endpoint"},
        {{.name = "n", .token_url = "https://x.example/", .client_id = "", .client_secret = "s"}, "client ID is needed"},
        {{.name = "n", .token_url = "https://x.example/", .client_id = "i\n", .client_secret = "s"}, "client ID is needed"},
        {{.name = "n", .token_url = "https://x.example/", .client_id = "i", .scope = "a\tb", .client_secret = "s"}, "bad scope"},
        {{.name = "n", .token_url = "https://x.example/", .client_id = "i", .client_secret = "s\n"}, "of printable ASCII"},
        {{.name = "n", .token_url = "https://x.example/", .client_id = "i", .refresh_token = "\xc3\xa4"}, "of printable ASCII"},
        {{.name = "n", .token_url = "https://x.example/", .client_id = "i"}, "client secret or a refresh token is needed"},
    };

    setup();
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct oauth_client client = table[i].client;

        client.scope = client.scope != NULL ? client.scope : "";
        client.client_secret = client.client_secret != NULL ? client.client_secret : "";
        client.refresh_token = client.refresh_token != NULL ? client.refresh_token : "";
        check_refused(oauth_add(world.tables, world.secrets, &client), table[i].part);
    }
    check_ok(oauth_add(world.tables, world.secrets, &office), "add");
    check_refused(oauth_add(world.tables, world.secrets, &office), "OAuth client office already exists");
    teardown();
}

static void a_refusal_shows_no_secret(void)
{
    struct oauth_client client = office;
    struct status s;

    setup();
    client.client_secret = "a-secret-to-find\n";
    s = oauth_add(world.tables, world.secrets, &client);
    check(strstr(s.text, "to-find") == NULL);
    teardown();
}

static void secrets_open_for_their_endpoint_only(void)
{
    struct oauth_client client;
    struct status s;

    setup();
    check_ok(oauth_add(world.tables, world.secrets, &office), "add");
    sql("UPDATE oauth_clients SET token_url = 'https://evil.example/'");
    s = find("office", &client);
    check_number(s.code, 451);
    check_has(s.text, "secret.key");
    sql("UPDATE oauth_clients SET token_url = 'https://login.example/tenant/token?x=y', name = 'other'");
    check_number(find("other", &client).code, 451);
    sql("UPDATE oauth_clients SET name = 'office'");
    check_ok(find("office", &client), "find");
    sql("ALTER TABLE oauth_clients RENAME TO lost");
    check_number(find("office", &client).code, 451);
    check_number(oauth_has(world.tables, STR("office")), ANSWER_FAILED);
    teardown();
}

static void the_endpoint_may_renew_the_refresh_token(void)
{
    struct oauth_client client, again;

    setup();
    check_ok(oauth_add(world.tables, world.secrets, &office), "add");
    check_ok(find("office", &client), "find");
    check_refused(oauth_set_refresh_token(world.tables, world.secrets, &client, STR("")), "empty");
    check_ok(oauth_set_refresh_token(world.tables, world.secrets, &client, STR("renewed")), "set");
    check_ok(find("office", &again), "find");
    check_text(again.refresh_token, "renewed");
    check_text(again.client_secret, "a-secret-to-find");
    /* Whoever read the row before another token was stored does not put an old one in its place. */
    check_ok(oauth_set_refresh_token(world.tables, world.secrets, &client, STR("late")), "late");
    check_ok(find("office", &again), "find");
    check_text(again.refresh_token, "renewed");
    check_ok(oauth_del(world.tables, STR("office")), "del");
    check_refused(oauth_set_refresh_token(world.tables, world.secrets, &client, STR("late")), "no OAuth client office any more");
    check_ok(oauth_add(world.tables, world.secrets, &office), "another of that name");
    check_refused(oauth_set_refresh_token(world.tables, world.secrets, &client, STR("late")), "no OAuth client office any more");
    check_ok(find("office", &again), "find");
    check_text(again.refresh_token, "a-token-to-find");
    teardown();
}

static struct status update(const char *name, const char *secret, const char *token, const char *scope)
{
    const struct oauth_client changes = {.client_secret = secret, .refresh_token = token, .scope = scope};

    return oauth_update(world.tables, world.secrets, str_of(name), &changes);
}

static void an_update_leaves_the_rest(void)
{
    struct oauth_client client;

    setup();
    check_ok(oauth_add(world.tables, world.secrets, &office), "add");
    check_ok(update("OFFICE", "other", NULL, NULL), "secret");
    check_ok(find("office", &client), "find");
    check_text(client.client_secret, "other");
    check_text(client.refresh_token, "a-token-to-find");
    check_text(client.scope, office.scope);
    check_ok(update("office", NULL, "renewed", "mail"), "token and scope");
    check_ok(find("office", &client), "find");
    check_text(client.client_secret, "other");
    check_text(client.refresh_token, "renewed");
    check_text(client.scope, "mail");
    check_refused(update("office", "bad\n", NULL, NULL), "of printable ASCII");
    check_refused(update("nobody", "other", NULL, NULL), "there is no OAuth client nobody");
    check_ok(find("office", &client), "find");
    check_text(client.client_secret, "other");
    teardown();
}

static struct status add_route(const char *login, const char *password, const char *oauth, const char *tls)
{
    const struct route_row r = {.remote_host = STR("relay.example"), .port = 25, .login = str_of(login), .password = str_of(password),
                                .oauth = str_of(oauth), .tls = str_of(tls)};

    return routes_add(world.tables, world.secrets, &r);
}

static void routes_use_clients_that_are_there(void)
{
    setup();
    check_refused(add_route("me", "", "office", ""), "there is no OAuth client office");
    check_ok(oauth_add(world.tables, world.secrets, &office), "add");
    check_refused(add_route("", "", "office", ""), "needs a login");
    check_refused(add_route("me", "password", "office", ""), "not with both");
    check_refused(add_route("me", "", "a b", ""), "is no name");
    check_refused(add_route("me", "", "office", "none"), "never sent in plain text");
    check_ok(oauth_del(world.tables, STR("Office")), "del");
    check_ok(oauth_add(world.tables, world.secrets, &office), "add");
    check_ok(add_route("me", "", "OFFICE", "verify"), "route");
    check_number(routes_use_oauth(world.tables, STR("office")), ANSWER_YES);
    check_refused(oauth_del(world.tables, STR("office")), "a route logs in with OAuth client office");
    check_ok(routes_del(world.tables, 1), "route");
    check_ok(oauth_del(world.tables, STR("office")), "del");
    check_refused(oauth_del(world.tables, STR("office")), "there is no OAuth client office");
    teardown();
}

static void note_row(void *context, const struct oauth_client *client)
{
    check(strstr(client->client_secret, "to-find") == NULL && strstr(client->refresh_token, "to-find") == NULL);
    check(secrets_is_sealed(str_of(client->client_secret)));
    buf_print(context, "%s %s %s %s;", client->name, client->token_url, client->client_id, client->scope);
}

static void listings_have_them_sealed(void)
{
    struct oauth_client second = office;
    struct buf b = {0};

    second.name = "a@b.example";
    second.scope = "";
    setup();
    check_ok(oauth_add(world.tables, world.secrets, &office), "add");
    check_ok(oauth_add(world.tables, world.secrets, &second), "add");
    check_ok(oauth_list(world.tables, note_row, &b), "list");
    check_text(buf_text(&b), "a@b.example https://login.example/tenant/token?x=y id-1 ;"
                             "office https://login.example/tenant/token?x=y id-1 https://outlook.example/SMTP.Send offline_access;");
    buf_done(&b);
    teardown();
}

static const struct test_case cases[] = {
    TEST_CASE(what_was_added_is_found_opened),
    TEST_CASE(what_is_not_given_is_empty),
    TEST_CASE(secrets_are_not_in_the_file),
    TEST_CASE(bad_clients_are_refused),
    TEST_CASE(a_refusal_shows_no_secret),
    TEST_CASE(secrets_open_for_their_endpoint_only),
    TEST_CASE(the_endpoint_may_renew_the_refresh_token),
    TEST_CASE(an_update_leaves_the_rest),
    TEST_CASE(routes_use_clients_that_are_there),
    TEST_CASE(listings_have_them_sealed),
};

int main(int argc, char **argv)
{
    return test_main(cases, TEST_COUNT(cases), argc, argv);
}

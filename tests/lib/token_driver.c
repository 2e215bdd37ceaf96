/*
 * token_driver - transfer/token at the end of a pipe, for scenario/oauth-tokens.py.
 *
 *     token_driver DATABASE KEY_FILE CA_FILE
 *
 * Reads a command a line, with its words between tabs, and answers each with one line:
 *     add NAME URL ID SECRET REFRESH SCOPE    as `tmail oauth add` does; empty words stand for what is not there
 *     update NAME REFRESH                     another process stores a refresh token
 *     stored NAME                             the refresh token in the database
 *     get NAME                                `ok TOKEN` or `454 4.7.0 REASON`
 *     many NUMBER NAME NAME                   that many threads get for each; the answers between tabs, as they come
 *     refuse NAME TOKEN
 * The log goes to standard error.
 */
#include "driver.h"

#include "directory/oauth.h"
#include "net/http.h"
#include "transfer/token.h"

#include <pthread.h>

enum { MOST_THREADS = 64 };

static const char *database;
static struct secrets *secrets;
static struct tokens *tokens;

static void say(struct status s)
{
    printf("%s%s\n", status_is_ok(&s) ? "ok" : "no ", s.text);
}

static void get(const char *name, struct buf *answer)
{
    struct buf token = {0};
    struct status s = tokens_get(tokens, name, 0, &token);

    if (status_is_ok(&s))
        buf_print(answer, "ok %s", buf_text(&token));
    else
        buf_print(answer, "%d %d.%d.%d %s", s.code, s.class, s.subject, s.detail, s.text);
    buf_done(&token);
}

static void run_get(char **words)
{
    struct buf answer = {0};

    get(words[1], &answer);
    puts(buf_text(&answer));
    buf_done(&answer);
}

static void *get_in_thread(void *name)
{
    struct buf answer = {0};

    get(name, &answer);
    printf("%s\t", buf_text(&answer));
    buf_done(&answer);
    return NULL;
}

/* Joined, so that nothing of a thread is left when the program ends. */
static void run_many(char **words)
{
    pthread_t threads[MOST_THREADS];
    long number = 2 * strtol(words[1], NULL, 10);

    for (long i = 0; i < number && i < MOST_THREADS; i++)
        if (pthread_create(&threads[i], NULL, get_in_thread, words[2 + i % 2]) != 0)
            abort();
    for (long i = 0; i < number && i < MOST_THREADS; i++)
        pthread_join(threads[i], NULL);
    puts("");
}

static void run_refuse(char **words)
{
    tokens_refuse(tokens, words[1], str_of(words[2]));
    puts("ok");
}

static void run_add(char **words)
{
    const struct oauth_client client = {
        .name = words[1],
        .token_url = words[2],
        .client_id = words[3],
        .client_secret = words[4],
        .refresh_token = words[5],
        .scope = words[6],
    };
    struct tables *t = driver_tables(database);

    say(oauth_add(t, secrets, &client));
    tables_close(&t);
}

/* The client NAME, and with REFRESH that one in the place of its refresh token. */
static void visit(const char *name, const char *refresh)
{
    struct tables *t = driver_tables(database);
    struct oauth_client client;
    struct arena arena;
    struct status s;

    arena_init(&arena);
    s = oauth_find(t, secrets, name, &arena, &client);
    if (status_is_ok(&s) && refresh != NULL)
        s = oauth_set_refresh_token(t, secrets, &client, str_of(refresh));
    if (status_is_ok(&s) && refresh == NULL)
        puts(client.refresh_token);
    else
        say(s);
    arena_done(&arena);
    tables_close(&t);
}

static void run_update(char **words)
{
    visit(words[1], words[2]);
}

static void run_stored(char **words)
{
    visit(words[1], NULL);
}

static const struct driver_verb verbs[] = {
    {"add", run_add, 7}, {"update", run_update, 3}, {"stored", run_stored, 2},
    {"get", run_get, 2}, {"many", run_many, 4},     {"refuse", run_refuse, 3},
};

int main(int argc, char **argv)
{
    if (argc != 4 || !http_start())
        return 64;
    database = argv[1];
    secrets = secrets_new(argv[2]);
    tokens = tokens_new(database, secrets, argv[3], NULL);
    driver_serve(verbs, sizeof verbs / sizeof verbs[0]);
    tokens_free(&tokens);
    secrets_free(&secrets);
    return 0;
}

#include "directory/directory.h"

#include "base/memory.h"
#include "directory/limits.h"
#include "directory/logins.h"
#include "directory/pool.h"
#include "directory/rcpthosts.h"
#include "directory/recipients.h"
#include "directory/relayips.h"
#include "directory/routes.h"
#include "directory/senders.h"

#include <stdio.h>
#include <string.h>

struct source {
    struct pool *pool;
    struct logins *logins;
};

/* One question of any kind, and where its answer goes. */
struct asked {
    struct str login, sender;
    struct login_row *row;
    struct str local, domain;
    struct rcpthost *host;
    const struct address *client;
    const struct route_question *route;
    struct arena *arena;
    char delimiter;
    struct local *found;
    struct route **routes;
    size_t *count;
    int64_t id;
    struct route *chosen;
    const struct limit_question *limit;
    struct rate *rate;
};

/* Asks over a borrowed connection, in one view of the database. */
static enum answer ask(void *self, enum answer (*question)(struct tables *t, const struct asked *a), const struct asked *a)
{
    struct source *source = self;
    struct tables *t = pool_borrow(source->pool);
    enum answer answer = ANSWER_FAILED;

    if (t == NULL)
        return answer;
    if (tables_begin_read(t)) {
        answer = question(t, a);
        tables_end_read(t);
    }
    if (answer == ANSWER_FAILED)
        (void)db_status(tables_db(t)); /* logs it */
    pool_return(source->pool, t, answer == ANSWER_FAILED);
    return answer;
}

static enum answer ask_login(struct tables *t, const struct asked *a)
{
    return logins_find(t, a->login, a->row);
}

static enum answer ask_may_send_as(struct tables *t, const struct asked *a)
{
    return senders_allow(t, a->login, a->sender);
}

static enum answer ask_rcpthost(struct tables *t, const struct asked *a)
{
    return rcpthosts_find(t, a->domain, a->host);
}

static enum answer ask_local(struct tables *t, const struct asked *a)
{
    return recipients_find(t, a->local, a->domain, a->delimiter, a->arena, a->found);
}

static enum answer ask_relayip(struct tables *t, const struct asked *a)
{
    return relayips_find(t, a->client);
}

static enum answer ask_routes(struct tables *t, const struct asked *a)
{
    return routes_find(t, a->route, a->arena, a->routes, a->count);
}

static enum answer ask_route(struct tables *t, const struct asked *a)
{
    return routes_find_id(t, a->id, a->arena, a->chosen);
}

static enum answer ask_limit(struct tables *t, const struct asked *a)
{
    return limits_find(t, a->limit, a->rate);
}

/* The connection is back before the hash begins. */
static enum answer sql_check_password(void *self, struct str login, struct str password)
{
    struct source *source = self;
    struct login_row row = {0};
    enum answer answer = ask(self, ask_login, &(struct asked){.login = login, .row = &row});

    if (answer != ANSWER_FAILED)
        answer = logins_check(source->logins, answer == ANSWER_YES ? &row : NULL, password);
    login_row_done(&row);
    return answer;
}

static enum answer sql_keys(void *self, struct str login, struct sasl_keys *keys)
{
    struct login_row row = {0};
    enum answer answer = ask(self, ask_login, &(struct asked){.login = login, .row = &row});

    if (answer == ANSWER_YES && !row.active)
        answer = ANSWER_NO;
    *keys = answer == ANSWER_YES ? row.keys : (struct sasl_keys){0};
    login_row_done(&row);
    return answer;
}

static enum answer sql_user(void *self, struct str login, struct user *user)
{
    struct login_row row = {0};
    enum answer answer = ask(self, ask_login, &(struct asked){.login = login, .row = &row});

    *user = (struct user){.relay = row.relay, .active = row.active};
    login_row_done(&row);
    return answer;
}

static enum answer sql_may_send_as(void *self, struct str login, struct str sender)
{
    return ask(self, ask_may_send_as, &(struct asked){.login = login, .sender = sender});
}

static enum answer sql_rcpthost(void *self, struct str domain, struct rcpthost *host)
{
    *host = (struct rcpthost){0};
    return ask(self, ask_rcpthost, &(struct asked){.domain = domain, .host = host});
}

static enum answer sql_local(void *self, struct str local, struct str domain, char delimiter, struct arena *arena, struct local *found)
{
    const struct asked asked = {.local = local, .domain = domain, .delimiter = delimiter, .arena = arena, .found = found};

    *found = (struct local){0};
    return ask(self, ask_local, &asked);
}

static enum answer sql_relayip(void *self, const struct address *client)
{
    return ask(self, ask_relayip, &(struct asked){.client = client});
}

static enum answer sql_routes(void *self, const struct route_question *question, struct arena *arena, struct route **routes, size_t *count)
{
    *routes = NULL;
    *count = 0;
    return ask(self, ask_routes, &(struct asked){.route = question, .arena = arena, .routes = routes, .count = count});
}

static enum answer sql_route(void *self, int64_t id, struct arena *arena, struct route *route)
{
    *route = (struct route){0};
    return ask(self, ask_route, &(struct asked){.id = id, .arena = arena, .chosen = route});
}

static enum answer sql_limit(void *self, const struct limit_question *question, struct rate *rate)
{
    *rate = (struct rate){0};
    return ask(self, ask_limit, &(struct asked){.limit = question, .rate = rate});
}

static void sql_close(void *self)
{
    struct source *source = self;

    logins_free(&source->logins);
    pool_free(&source->pool);
    memory_free(&source);
}

static struct source *source_new(const char *path, char *error, size_t error_size)
{
    struct source *source = memory_new(sizeof *source);

    source->logins = logins_new();
    if (source->logins == NULL) {
        snprintf(error, error_size, "the system has no random bytes to hash passwords with");
        memory_free(&source);
        return NULL;
    }
    source->pool = pool_new(path);
    return source;
}

static bool read_decoy(struct tables *t, struct directory *d, char *error, size_t error_size)
{
    struct db_query *q = tables_query(t, "SELECT bytes FROM decoy WHERE id = 1");
    bool found = q != NULL && db_step(q) && db_str(q, 0).length == sizeof d->decoy;

    if (found)
        memcpy(d->decoy, db_str(q, 0).data, sizeof d->decoy);
    if (q != NULL && db_finish(q) && found)
        return true;
    snprintf(error, error_size, "the table decoy of the database is damaged");
    return false;
}

bool directory_open_sql(struct directory *d, const char *path, char *error, size_t error_size)
{
    struct tables *t = tables_open(path, error, error_size);
    struct source *source;
    bool ok;

    *d = (struct directory){0};
    if (t == NULL)
        return false;
    ok = read_decoy(t, d, error, error_size);
    tables_close(&t);
    source = ok ? source_new(path, error, error_size) : NULL;
    if (source == NULL)
        return false;
    d->self = source;
    d->check_password = sql_check_password;
    d->keys = sql_keys;
    d->user = sql_user;
    d->may_send_as = sql_may_send_as;
    d->rcpthost = sql_rcpthost;
    d->local = sql_local;
    d->relayip = sql_relayip;
    d->routes = sql_routes;
    d->route = sql_route;
    d->limit = sql_limit;
    d->close = sql_close;
    return true;
}

void directory_close(struct directory *d)
{
    if (d->close != NULL)
        d->close(d->self);
    *d = (struct directory){0};
}

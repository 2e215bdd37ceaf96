#include "directory/directory.h"

#include "base/memory.h"
#include "directory/pool.h"
#include "directory/rcpthosts.h"
#include "directory/recipients.h"
#include "directory/relayips.h"
#include "directory/routes.h"

/* One question of any kind, and where its answer goes. */
struct asked {
    struct str local, domain;
    struct rcpthost *host;
    const struct address *client;
    const struct route_question *route;
    struct arena *arena;
    struct route **routes;
    size_t *count;
};

/* Asks over a borrowed connection, in one view of the database. */
static enum answer ask(void *self, enum answer (*question)(struct tables *t, const struct asked *a), const struct asked *a)
{
    struct tables *t = pool_borrow(self);
    enum answer answer = ANSWER_FAILED;

    if (t == NULL)
        return answer;
    if (tables_begin_read(t)) {
        answer = question(t, a);
        tables_end_read(t);
    }
    if (answer == ANSWER_FAILED)
        (void)db_status(tables_db(t)); /* logs it */
    pool_return(self, t, answer == ANSWER_FAILED);
    return answer;
}

static enum answer ask_rcpthost(struct tables *t, const struct asked *a)
{
    return rcpthosts_find(t, a->domain, a->host);
}

static enum answer ask_recipient(struct tables *t, const struct asked *a)
{
    return recipients_find(t, a->local, a->domain);
}

static enum answer ask_relayip(struct tables *t, const struct asked *a)
{
    return relayips_find(t, a->client);
}

static enum answer ask_routes(struct tables *t, const struct asked *a)
{
    return routes_find(t, a->route, a->arena, a->routes, a->count);
}

static enum answer sql_rcpthost(void *self, struct str domain, struct rcpthost *host)
{
    *host = (struct rcpthost){0};
    return ask(self, ask_rcpthost, &(struct asked){.domain = domain, .host = host});
}

static enum answer sql_recipient(void *self, struct str local, struct str domain)
{
    return ask(self, ask_recipient, &(struct asked){.local = local, .domain = domain});
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

static void sql_close(void *self)
{
    struct pool *pool = self;

    pool_free(&pool);
}

bool directory_open_sql(struct directory *d, const char *path, char *error, size_t error_size)
{
    struct tables *t = tables_open(path, error, error_size);

    *d = (struct directory){0};
    if (t == NULL)
        return false;
    tables_close(&t);
    *d = (struct directory){
        .self = pool_new(path),
        .rcpthost = sql_rcpthost,
        .recipient = sql_recipient,
        .relayip = sql_relayip,
        .routes = sql_routes,
        .close = sql_close,
    };
    return true;
}

void directory_close(struct directory *d)
{
    if (d->close != NULL)
        d->close(d->self);
    *d = (struct directory){0};
}

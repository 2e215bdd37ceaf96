#include "directory/limits.h"

#include "directory/route_text.h"

static const char *const kinds[] = {[LIMIT_HOP] = "hop", [LIMIT_DOMAIN] = "domain"};

static const char none[] = "none";

const char *limit_kind_name(enum limit_kind kind)
{
    return kinds[kind];
}

bool limit_parse_rate(struct rate *rate, struct str text)
{
    *rate = (struct rate){0};
    text = str_trim(text);
    return str_equal_nocase(text, str_of(none)) || (text.length > 0 && rate_parse(rate, text));
}

enum answer limits_find(struct tables *t, const struct limit_question *question, struct rate *rate)
{
    struct db_query *q = tables_query(t, "SELECT messages, per_ms FROM limits WHERE kind = ?1 AND name = ?2 AND port IN (0, ?3)"
                                         " ORDER BY port DESC LIMIT 1");
    bool found;

    *rate = (struct rate){0};
    if (q == NULL)
        return ANSWER_FAILED;
    db_bind_str(q, 1, str_of(kinds[question->kind]));
    db_bind_str(q, 2, question->name);
    db_bind_int(q, 3, question->kind == LIMIT_HOP ? question->port : LIMIT_ANY_PORT);
    found = db_step(q);
    if (found)
        *rate = (struct rate){.count = db_int(q, 0), .ms = db_int(q, 1)};
    if (!db_finish(q))
        return ANSWER_FAILED;
    return found ? ANSWER_YES : ANSWER_NO;
}

static struct status read_hop(const struct limit_row *r, char *name)
{
    const char *wrong = route_remote_read(r->name, name);

    if (str_equal_nocase(r->name, STR("mx")))
        return tables_refused("mx is no host (expected the host of a route; mail that goes by MX is limited by its domain)");
    if (wrong != NULL)
        return tables_refused("\"%.*s\" is no host (expected a name or an IP address, as routes have it)", STR_ARG(r->name));
    if (r->port < LIMIT_ANY_PORT || r->port > 65535)
        return tables_refused("%lld is no port (expected 1 to 65535)", (long long)r->port);
    return status_ok();
}

/* The name in the form of the table; NAME has DOMAIN_SIZE bytes. */
static struct status read_name(const struct limit_row *r, char *name)
{
    if (r->kind == LIMIT_HOP)
        return read_hop(r, name);
    if (!domain_normalize(r->name, name))
        return tables_refused("\"%.*s\" is no domain", STR_ARG(r->name));
    return r->port == LIMIT_ANY_PORT ? status_ok() : tables_refused("a domain has no port");
}

static void bind_name(struct db_query *q, const struct limit_row *r, const char *name)
{
    db_bind_str(q, 1, str_of(kinds[r->kind]));
    db_bind_str(q, 2, str_of(name));
    db_bind_int(q, 3, r->port);
}

static struct status insert(struct tables *t, const struct limit_row *r, const char *name, const struct rate *rate)
{
    struct db_query *q = tables_query(t, "INSERT INTO limits (kind, name, port, messages, per_ms) VALUES (?1, ?2, ?3, ?4, ?5)"
                                         " ON CONFLICT (kind, name, port) DO UPDATE SET messages = excluded.messages,"
                                         " per_ms = excluded.per_ms");

    if (q == NULL)
        return tables_failed(t);
    bind_name(q, r, name);
    db_bind_int(q, 4, rate->count);
    db_bind_int(q, 5, rate->ms);
    return tables_execute(t, q);
}

struct status limits_add(struct tables *t, const struct limit_row *r)
{
    char name[DOMAIN_SIZE];
    struct rate rate;
    struct status s = read_name(r, name);

    if (!status_is_ok(&s))
        return s;
    if (!limit_parse_rate(&rate, r->rate))
        return tables_refused("\"%.*s\" is no rate (expected such as 10/second, 100/minute or 1000/hour, at most %d, or none)",
                              STR_ARG(r->rate), RATE_MOST);
    return insert(t, r, name, &rate);
}

static struct status not_there(const struct limit_row *r, const char *name)
{
    if (r->port == LIMIT_ANY_PORT)
        return tables_refused("there is no limit for the %s %s (see tmail limit list)", kinds[r->kind], name);
    return tables_refused("there is no limit for the %s %s and port %lld (see tmail limit list)", kinds[r->kind], name, (long long)r->port);
}

struct status limits_del(struct tables *t, const struct limit_row *r)
{
    struct db_query *q = tables_query(t, "DELETE FROM limits WHERE kind = ?1 AND name = ?2 AND port = ?3");
    char name[DOMAIN_SIZE];
    struct status s = read_name(r, name);

    if (!status_is_ok(&s))
        return s;
    if (q == NULL)
        return tables_failed(t);
    bind_name(q, r, name);
    s = tables_execute(t, q);
    return status_is_ok(&s) && db_changes(tables_db(t)) == 0 ? not_there(r, name) : s;
}

static void tell(struct db_query *q, void (*row)(void *context, const struct limit_row *r), void *context)
{
    const struct rate rate = {.count = db_int(q, 4), .ms = db_int(q, 5)};
    struct limit_row r = {.id = db_int(q, 0), .kind = LIMIT_DOMAIN, .name = db_str(q, 2), .port = db_int(q, 3), .rate = str_of(none)};
    char text[RATE_TEXT_SIZE];

    if (str_equal(db_str(q, 1), str_of(kinds[LIMIT_HOP])))
        r.kind = LIMIT_HOP;
    rate_text(&rate, text);
    if (rate.count > 0)
        r.rate = str_of(text);
    row(context, &r);
}

struct status limits_list(struct tables *t, void (*row)(void *context, const struct limit_row *r), void *context)
{
    struct db_query *q = tables_query(t, "SELECT id, kind, name, port, messages, per_ms FROM limits ORDER BY kind, name, port");

    if (q == NULL)
        return tables_failed(t);
    while (db_step(q))
        tell(q, row, context);
    return db_finish(q) ? status_ok() : tables_failed(t);
}

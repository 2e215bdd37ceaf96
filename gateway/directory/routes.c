#include "directory/routes.h"

#include "conf/tls_policy.h"
#include "directory/names.h"
#include "directory/oauth.h"
#include "directory/route_secret.h"
#include "directory/sealed.h"
#include "directory/route_text.h"

#include <string.h>

/* Earlier rows may lack port and priority; one without a next hop leads nowhere. */
#define ROUTE_COLUMNS \
    "id, host, remote_host, ifnull(nullif(remote_port, 0), 25), ifnull(priority, 1), local_ip, smtp_auth_login, tls, oauth, verp"
#define ROUTE_IS_USABLE "ifnull(remote_host, '') <> ''"

enum who { ANYBODY, LOGIN, LOGIN_DOMAIN };
enum sender { ANY_SENDER, SENDER_ADDRESS, SENDER_DOMAIN };
enum where { ANYWHERE, DESTINATION };

struct rule {
    enum who user;
    enum sender sender;
    enum where destination;
};

static const struct rule user_rules[] = {
    {LOGIN, SENDER_ADDRESS, DESTINATION}, {LOGIN_DOMAIN, SENDER_ADDRESS, DESTINATION},
    {LOGIN, SENDER_ADDRESS, ANYWHERE},    {LOGIN_DOMAIN, SENDER_ADDRESS, ANYWHERE},
    {LOGIN, SENDER_DOMAIN, DESTINATION},  {LOGIN_DOMAIN, SENDER_DOMAIN, DESTINATION},
    {LOGIN, SENDER_DOMAIN, ANYWHERE},     {LOGIN_DOMAIN, SENDER_DOMAIN, ANYWHERE},
    {LOGIN, ANY_SENDER, DESTINATION},     {LOGIN_DOMAIN, ANY_SENDER, DESTINATION},
    {LOGIN, ANY_SENDER, ANYWHERE},        {LOGIN_DOMAIN, ANY_SENDER, ANYWHERE},
};
static const struct rule destination_rule = {ANYBODY, ANY_SENDER, DESTINATION};
static const struct rule wildcard_rule = {ANYBODY, ANY_SENDER, ANYWHERE};

/* What the conditions are compared with, by the enums above. */
struct keys {
    struct str user[3], sender[3], where[2];
};

/* The rows that were found so far, on their way to the caller's array. */
struct found {
    struct arena *arena;
    struct route *routes;
    size_t count, room;
};

static const char *text_or_null(struct arena *arena, struct str text)
{
    return text.length > 0 ? arena_text(arena, text) : NULL;
}

static struct route *next_route(struct found *f)
{
    if (f->count == f->room) {
        struct route *more;

        f->room = f->room > 0 ? 2 * f->room : 4;
        more = arena_new(f->arena, f->room * sizeof *more);
        for (size_t i = 0; i < f->count; i++)
            more[i] = f->routes[i];
        f->routes = more;
    }
    return &f->routes[f->count++];
}

static enum answer read_routes(struct db_query *q, struct found *f)
{
    while (db_step(q)) {
        struct str host = db_str(q, 1);

        *next_route(f) = (struct route){
            .id = db_int(q, 0),
            .host = arena_text(f->arena, host.length > 0 ? host : STR("*")),
            .remote_host = arena_text(f->arena, db_str(q, 2)),
            .remote_port = (int)db_int(q, 3),
            .priority = (int)db_int(q, 4),
            .local_ips = text_or_null(f->arena, db_str(q, 5)),
            .login = text_or_null(f->arena, db_str(q, 6)),
            .tls = text_or_null(f->arena, db_str(q, 7)),
            .oauth = text_or_null(f->arena, db_str(q, 8)),
            .verp = db_int(q, 9) != 0,
            .password = text_or_null(f->arena, db_str(q, 10)),
        };
    }
    if (!db_finish(q))
        return ANSWER_FAILED;
    return f->count > 0 ? ANSWER_YES : ANSWER_NO;
}

static enum answer try_rule(struct tables *t, const struct rule *r, const struct keys *k, struct found *f)
{
    struct db_query *q;

    if ((r->user != ANYBODY && k->user[r->user].length == 0) || (r->sender != ANY_SENDER && k->sender[r->sender].length == 0))
        return ANSWER_NO;
    q = tables_query(t, "SELECT " ROUTE_COLUMNS ", smtp_auth_passwd FROM routes WHERE map_order IS NULL AND ifnull(user, '') = ?1"
                        " AND ifnull(mail_from, '') = ?2 AND ifnull(nullif(host, ''), '*') = ?3 AND " ROUTE_IS_USABLE
                        " ORDER BY ifnull(priority, 1), id");
    if (q == NULL)
        return ANSWER_FAILED;
    db_bind_str(q, 1, k->user[r->user]);
    db_bind_str(q, 2, k->sender[r->sender]);
    db_bind_str(q, 3, k->where[r->destination]);
    return read_routes(q, f);
}

/* A real domain named `bounce` is not the null sender: it meets only `*`. */
static struct str map_sender(const struct keys *k)
{
    if (k->sender[SENDER_ADDRESS].length == 0)
        return STR("bounce");
    return str_equal(k->sender[SENDER_DOMAIN], STR("bounce")) ? STR("") : k->sender[SENDER_DOMAIN];
}

/* Lowers *LINE to the first line with just these words, when there is one. */
static bool try_map_line(struct tables *t, struct str sender, struct str domain, int64_t *line)
{
    struct db_query *q =
        tables_query(t, "SELECT map_order FROM routes WHERE map_order IS NOT NULL AND host = ?1 AND ifnull(mail_from, '*') = ?2"
                        " ORDER BY map_order LIMIT 1");

    if (q == NULL)
        return false;
    db_bind_str(q, 1, domain);
    db_bind_str(q, 2, sender);
    if (db_step(q) && db_int(q, 0) < *line)
        *line = db_int(q, 0);
    return db_finish(q);
}

/* Four lookups rather than one with IN, for which SQLite makes a table each time. */
static enum answer find_map_line(struct tables *t, const struct keys *k, int64_t *line)
{
    const struct str senders[] = {map_sender(k), STR("*")};

    *line = INT64_MAX;
    for (int i = 0; i < 4; i++)
        if (!try_map_line(t, senders[i % 2], k->where[i / 2], line))
            return ANSWER_FAILED;
    return *line < INT64_MAX ? ANSWER_YES : ANSWER_NO;
}

static enum answer try_map(struct tables *t, const struct keys *k, struct found *f)
{
    int64_t line;
    enum answer answer = find_map_line(t, k, &line);
    struct db_query *q;

    if (answer != ANSWER_YES)
        return answer;
    q = tables_query(t, "SELECT " ROUTE_COLUMNS ", smtp_auth_passwd FROM routes WHERE map_order = ?1 AND " ROUTE_IS_USABLE
                        " ORDER BY priority, id");
    if (q == NULL)
        return ANSWER_FAILED;
    db_bind_int(q, 1, line);
    return read_routes(q, f);
}

static struct keys make_keys(const struct route_question *question, struct arena *arena)
{
    char login[NAME_SIZE];
    struct keys k = {0};

    if (question->user.length > 0) {
        k.user[LOGIN] = arena_str(arena, name_stored_login(question->user, login));
        k.user[LOGIN_DOMAIN] = name_domain(k.user[LOGIN]);
    }
    k.sender[SENDER_ADDRESS] = arena_lower(arena, question->sender);
    k.sender[SENDER_DOMAIN] = name_domain(k.sender[SENDER_ADDRESS]);
    k.where[ANYWHERE] = question->named ? question->domain : STR("*");
    k.where[DESTINATION] = question->domain;
    return k;
}

enum answer routes_find(struct tables *t, const struct route_question *question, struct arena *arena, struct route **routes, size_t *count)
{
    const struct keys k = make_keys(question, arena);
    struct found f = {.arena = arena};
    enum answer answer = ANSWER_NO;

    if (question->user.length > 0)
        for (size_t i = 0; answer == ANSWER_NO && i < sizeof user_rules / sizeof user_rules[0]; i++)
            answer = try_rule(t, &user_rules[i], &k, &f);
    if (answer == ANSWER_NO)
        answer = try_rule(t, &destination_rule, &k, &f);
    if (answer == ANSWER_NO)
        answer = try_map(t, &k, &f);
    if (answer == ANSWER_NO)
        answer = try_rule(t, &wildcard_rule, &k, &f);
    *routes = answer == ANSWER_YES ? f.routes : NULL;
    *count = answer == ANSWER_YES ? f.count : 0;
    return answer;
}

enum answer routes_find_id(struct tables *t, int64_t id, struct arena *arena, struct route *route)
{
    struct db_query *q = tables_query(t, "SELECT " ROUTE_COLUMNS ", smtp_auth_passwd FROM routes WHERE id = ?1 AND " ROUTE_IS_USABLE);
    struct found f = {.arena = arena};
    enum answer answer;

    if (q == NULL)
        return ANSWER_FAILED;
    db_bind_int(q, 1, id);
    answer = read_routes(q, &f);
    if (answer == ANSWER_YES)
        *route = f.routes[0];
    return answer;
}

struct status routes_insert(struct tables *t, const struct route_row *r)
{
    struct db_query *q = tables_query(t, "INSERT INTO routes (host, local_ip, remote_host, remote_port, priority, smtp_auth_login,"
                                         " smtp_auth_passwd, tls, oauth, mail_from, user, map_order, verp)"
                                         " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)");

    if (q == NULL)
        return tables_failed(t);
    db_bind_str(q, 1, r->host);
    db_bind_optional(q, 2, r->local_ips);
    db_bind_str(q, 3, r->remote_host);
    db_bind_int(q, 4, r->port);
    db_bind_int(q, 5, r->priority);
    db_bind_optional(q, 6, r->login);
    db_bind_optional(q, 7, r->password);
    db_bind_optional(q, 8, r->tls);
    db_bind_optional(q, 9, r->oauth);
    db_bind_optional(q, 10, r->mail_from);
    db_bind_optional(q, 11, r->user);
    if (r->map_order == ROUTE_NOT_IN_MAP)
        db_bind_null(q, 12);
    else
        db_bind_int(q, 12, r->map_order);
    db_bind_int(q, 13, r->verp);
    return tables_execute(t, q);
}

/* A route as it was typed becomes one of the table; what the fields of ROW point to. */
struct normal_route {
    struct route_row row;
    char host[DOMAIN_SIZE], remote_host[DOMAIN_SIZE], mail_from[NAME_SIZE], user[NAME_SIZE], oauth[NAME_SIZE];
    struct buf local_ips, password;
};

static struct status normalize_conditions(const struct route_row *r, struct normal_route *n)
{
    if (r->host.length == 0 || str_equal(r->host, STR("*")))
        n->row.host = STR("*");
    else if (domain_normalize(r->host, n->host))
        n->row.host = str_of(n->host);
    else
        return tables_refused("\"%.*s\" is no domain", STR_ARG(r->host));
    if (r->user.length > 0 && !name_user(r->user, n->user))
        return tables_refused("\"%.*s\" is no login and no domain", STR_ARG(r->user));
    if (r->mail_from.length > 0 && !name_address_or_domain(r->mail_from, n->mail_from))
        return tables_refused("\"%.*s\" is no address and no domain", STR_ARG(r->mail_from));
    if (r->mail_from.length > 0 && r->user.length == 0)
        return tables_refused("a route by sender (-f) holds for authenticated users only: say which (-u)");
    n->row.user = str_of(n->user);
    n->row.mail_from = str_of(n->mail_from);
    return status_ok();
}

static struct status normalize_next_hop(const struct route_row *r, struct normal_route *n)
{
    const char *wrong;

    if (r->remote_host.length == 0)
        return tables_refused("a remote host (-rh) is needed");
    wrong = route_remote_read(r->remote_host, n->remote_host);
    if (wrong == NULL && route_remote_is_lmtp(n->remote_host) && (r->port != SMTP_PORT || r->login.length > 0 || r->local_ips.length > 0))
        return tables_refused("a route by LMTP has its port behind the host (lmtp:HOST:PORT), no login and no local addresses");
    if (wrong == NULL && r->local_ips.length > 0)
        wrong = route_locals_read(r->local_ips, &n->local_ips);
    if (wrong != NULL)
        return tables_refused("%s", wrong);
    if (r->port < 1 || r->port > 65535)
        return tables_refused("bad port (expected 1 to 65535)");
    n->row.remote_host = str_of(n->remote_host);
    n->row.local_ips = buf_str(&n->local_ips);
    return status_ok();
}

static struct status check_credentials(const struct route_row *r)
{
    if (r->oauth.length > 0 && r->password.length > 0)
        return tables_refused("a route logs in with a password or with tokens of an OAuth client (-rpwd or --oauth), not with both");
    if (r->oauth.length > 0 && r->login.length == 0)
        return tables_refused("an OAuth client (--oauth) needs a login at the remote host (-rl)");
    if (r->oauth.length == 0 && (r->login.length == 0) != (r->password.length == 0))
        return tables_refused("a login at the remote host needs a password, and a password a login (-rl and -rpwd)");
    if (str_has_control(r->login) || str_has_control(r->password))
        return tables_refused("login or password at the remote host with a control character");
    return status_ok();
}

static struct status normalize_protection(const struct route_row *r, struct normal_route *n)
{
    struct status s = check_credentials(r);
    struct tls_rule rule;

    if (!status_is_ok(&s))
        return s;
    if (r->tls.length > 0 && !tls_rule_parse(&rule, r->tls))
        return tables_refused("\"%.*s\" is no TLS rule (expected %s)", STR_ARG(r->tls), TLS_RULE_EXPECTED);
    if (r->tls.length > 0 && rule.policy == TLS_NONE && r->login.length > 0)
        return tables_refused("a login is never sent in plain text: with -rl the rule (--tls) cannot be none");
    if (r->login.length > 0 && strcmp(n->remote_host, "mx") == 0)
        return tables_refused("a login is for a host that the route names: with -rl it cannot be mx");
    if (r->oauth.length > 0 && !oauth_name(r->oauth, n->oauth))
        return tables_refused("\"%.*s\" is no name of an OAuth client", STR_ARG(r->oauth));
    n->row.oauth = str_of(n->oauth);
    return s;
}

static struct status seal(struct secrets *secrets, struct normal_route *n)
{
    struct status s = route_secret_seal(secrets, &n->row, &n->password);

    n->row.password = buf_str(&n->password);
    return s;
}

static struct status check_oauth(struct tables *t, struct str name)
{
    switch (oauth_has(t, name)) {
    case ANSWER_YES:
        return status_ok();
    case ANSWER_NO:
        return tables_refused("there is no OAuth client %.*s (see tmail oauth add)", STR_ARG(name));
    case ANSWER_FAILED:
        break;
    }
    return tables_failed(t);
}

static struct status insert_new(struct tables *t, const struct route_row *r)
{
    struct status s = tables_begin(t);

    if (status_is_ok(&s) && r->oauth.length > 0)
        s = check_oauth(t, r->oauth);
    if (status_is_ok(&s))
        s = routes_insert(t, r);
    return tables_end(t, s);
}

struct status routes_add(struct tables *t, struct secrets *secrets, const struct route_row *r)
{
    struct normal_route n = {.row = *r};
    struct status s = normalize_conditions(r, &n);

    n.row.map_order = ROUTE_NOT_IN_MAP;
    if (status_is_ok(&s))
        s = normalize_next_hop(r, &n);
    if (status_is_ok(&s))
        s = normalize_protection(r, &n);
    if (status_is_ok(&s) && n.row.password.length > 0)
        s = sealed_check(t, secrets);
    if (status_is_ok(&s))
        s = seal(secrets, &n);
    if (status_is_ok(&s))
        s = insert_new(t, &n.row);
    buf_done(&n.local_ips);
    buf_done(&n.password);
    return s;
}

struct status routes_del(struct tables *t, int64_t id)
{
    struct db_query *q = tables_query(t, "DELETE FROM routes WHERE id = ?1");

    if (q == NULL)
        return tables_failed(t);
    db_bind_int(q, 1, id);
    if (!db_execute(q))
        return tables_failed(t);
    return db_changes(tables_db(t)) > 0 ? status_ok() : tables_refused("there is no route %lld", (long long)id);
}

struct status routes_list(struct tables *t, void (*row)(void *context, const struct route_row *r), void *context)
{
    struct db_query *q = tables_query(t, "SELECT " ROUTE_COLUMNS ", mail_from, user, map_order FROM routes"
                                         " ORDER BY map_order IS NOT NULL, map_order, id");

    if (q == NULL)
        return tables_failed(t);
    while (db_step(q)) {
        struct route_row r = {
            .id = db_int(q, 0),
            .host = db_str(q, 1),
            .remote_host = db_str(q, 2),
            .port = db_int(q, 3),
            .priority = db_int(q, 4),
            .local_ips = db_str(q, 5),
            .login = db_str(q, 6),
            .tls = db_str(q, 7),
            .oauth = db_str(q, 8),
            .verp = db_int(q, 9) != 0,
            .mail_from = db_str(q, 10),
            .user = db_str(q, 11),
            .map_order = db_is_null(q, 12) ? ROUTE_NOT_IN_MAP : db_int(q, 12),
        };

        if (r.host.length == 0)
            r.host = STR("*");
        row(context, &r);
    }
    return db_finish(q) ? status_ok() : tables_failed(t);
}

enum answer routes_use_oauth(struct tables *t, struct str name)
{
    return tables_ask(tables_query(t, "SELECT 1 FROM routes WHERE oauth = ?1 LIMIT 1"), name);
}

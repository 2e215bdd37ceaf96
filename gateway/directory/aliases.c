#include "directory/aliases.h"

#include "directory/names.h"
#include "directory/rcpthosts.h"
#include "directory/users.h"

#include <string.h>

enum answer aliases_has_address(struct tables *t, struct str address)
{
    return tables_ask(tables_query(t, "SELECT 1 FROM aliases WHERE alias = ?1 AND ifnull(is_dom_alias, 0) = 0"), address);
}

/* LIST as the earlier tmail wrote it. */
static bool names(struct str list, struct str login)
{
    char name[NAME_SIZE];
    struct str item;

    while (str_cut_any(&list, "; ", &item))
        if (str_equal(name_stored_login(item, name), login))
            return true;
    return false;
}

enum answer aliases_delivers_to(struct tables *t, struct str address, struct str login)
{
    struct db_query *q = tables_query(t, "SELECT deliver_to FROM aliases WHERE alias = ?1 AND ifnull(is_dom_alias, 0) = 0");
    bool found;

    if (q == NULL)
        return ANSWER_FAILED;
    db_bind_str(q, 1, address);
    found = db_step(q) && names(db_str(q, 0), login);
    if (!db_finish(q))
        return ANSWER_FAILED;
    return found ? ANSWER_YES : ANSWER_NO;
}

enum answer aliases_target(struct tables *t, struct str domain, char *target)
{
    struct db_query *q = tables_query(t, "SELECT deliver_to FROM aliases WHERE alias = ?1 AND is_dom_alias");
    bool found;

    target[0] = '\0';
    if (q == NULL)
        return ANSWER_FAILED;
    db_bind_str(q, 1, domain);
    found = db_step(q) && domain_normalize(db_str(q, 0), target);
    if (!db_finish(q))
        return ANSWER_FAILED;
    return found ? ANSWER_YES : ANSWER_NO;
}

static void add_target(struct alias *alias, struct str address, struct arena *arena)
{
    if ((alias->count & (alias->count - 1)) == 0) { /* full: 0, 1, 2, 4 … */
        struct str *more = arena_new(arena, (2 * alias->count + 1) * sizeof *more);

        for (size_t i = 0; i < alias->count; i++)
            more[i] = alias->targets[i];
        alias->targets = more;
    }
    alias->targets[alias->count++] = arena_str(arena, address);
}

/* What is no address, as an earlier tmail may have it, is handed out, too: whoever follows it must say so, and not lose the mail. */
static void read_targets(struct str list, struct arena *arena, struct alias *alias)
{
    struct str item;

    while (str_cut_any(&list, "; ", &item))
        if (item.length > 0)
            add_target(alias, item, arena);
}

enum answer aliases_find(struct tables *t, struct str address, struct arena *arena, struct alias *alias)
{
    struct db_query *q = tables_query(t, "SELECT deliver_to FROM aliases WHERE alias = ?1 AND ifnull(is_dom_alias, 0) = 0"
                                         " AND ifnull(pipe, '') = '' AND ifnull(is_mini_list, 0) = 0");

    *alias = (struct alias){0};
    if (q == NULL)
        return ANSWER_FAILED;
    db_bind_str(q, 1, address);
    if (db_step(q))
        read_targets(db_str(q, 0), arena, alias);
    if (!db_finish(q))
        return ANSWER_FAILED;
    return alias->count > 0 ? ANSWER_YES : ANSWER_NO;
}

/* The search for a way back to an alias. */
struct search {
    struct tables *t;
    struct str alias;
    struct arena arena;
    int looks; /* bounds what a tangle costs */
};

/* NO also where the search is given up: who delivers looks again. */
static enum answer leads_back(struct search *s, struct str address, int depth)
{
    char name[NAME_SIZE];
    struct alias next;
    enum answer answer;

    if (!name_address(address, name))
        return ANSWER_NO;
    if (str_equal(str_of(name), s->alias))
        return ANSWER_YES;
    if (depth >= ALIASES_DEPTH_MAX || ++s->looks > ALIASES_TARGETS_MAX)
        return ANSWER_NO;
    answer = aliases_find(s->t, str_of(name), &s->arena, &next);
    if (answer != ANSWER_YES)
        return answer;
    answer = ANSWER_NO;
    for (size_t i = 0; i < next.count && answer == ANSWER_NO; i++)
        answer = leads_back(s, next.targets[i], depth + 1);
    return answer;
}

static struct status check_target(struct tables *t, struct str alias, struct str target)
{
    struct search s = {.t = t, .alias = alias};
    enum answer answer = leads_back(&s, target, 0);

    arena_done(&s.arena);
    if (answer == ANSWER_FAILED)
        return tables_failed(t);
    if (answer == ANSWER_YES)
        return tables_refused("%.*s leads back to %.*s", STR_ARG(target), STR_ARG(alias));
    return status_ok();
}

/* LIST as typed becomes one of the table, joined with ;. */
static struct status read_deliver_to(struct tables *t, struct str alias, struct str list, struct buf *to)
{
    struct status s = status_ok();
    char name[NAME_SIZE];
    size_t count = 0;
    struct str item;

    while (status_is_ok(&s) && str_cut_any(&list, "; ", &item)) {
        if (item.length == 0)
            continue;
        if (!name_address(item, name))
            return tables_refused("\"%.*s\" is no address (expected LOCAL@DOMAIN)", STR_ARG(item));
        if (++count > ALIASES_TARGETS_MAX)
            return tables_refused("an alias stands for %d addresses at most", ALIASES_TARGETS_MAX);
        if (to->length > 0)
            buf_add_byte(to, ';');
        buf_add(to, item);
        s = check_target(t, alias, item);
    }
    return status_is_ok(&s) && count == 0 ? tables_refused("addresses to deliver to (-d) are needed") : s;
}

static struct status check_domain(struct tables *t, struct str domain)
{
    struct rcpthost host;

    switch (rcpthosts_find(t, domain, &host)) {
    case ANSWER_YES:
        if (host.is_local && !host.is_alias)
            return status_ok();
        return tables_refused("the domain of an alias must be a local one, %.*s is not", STR_ARG(domain));
    case ANSWER_NO:
        return tables_refused("domain %.*s is not handled by tmail (see tmail rcpthost add -l)", STR_ARG(domain));
    case ANSWER_FAILED:
        break;
    }
    return tables_failed(t);
}

/* A mailbox of that address would come first, and the alias never be asked. */
static struct status check_mailbox(struct tables *t, struct str alias)
{
    switch (users_has_mailbox(t, alias)) {
    case ANSWER_YES:
        return tables_refused("%.*s is an existing user", STR_ARG(alias));
    case ANSWER_NO:
        return status_ok();
    case ANSWER_FAILED:
        break;
    }
    return tables_failed(t);
}

static struct status insert_alias(struct tables *t, struct str alias, struct str deliver_to)
{
    struct db_query *q = tables_query(t, "INSERT INTO aliases (alias, deliver_to, is_dom_alias, is_mini_list) VALUES (?1, ?2, 0, 0)");

    if (q == NULL)
        return tables_failed(t);
    db_bind_str(q, 1, alias);
    db_bind_str(q, 2, deliver_to);
    if (db_execute(q))
        return status_ok();
    return db_was_constraint(tables_db(t)) ? tables_refused("%.*s already exists", STR_ARG(alias)) : tables_failed(t);
}

static struct status add_alias(struct tables *t, struct str alias, struct str deliver_to)
{
    struct buf list = {0};
    struct status s = check_domain(t, name_domain(alias));

    if (status_is_ok(&s))
        s = check_mailbox(t, alias);
    if (status_is_ok(&s))
        s = read_deliver_to(t, alias, deliver_to, &list);
    if (status_is_ok(&s))
        s = insert_alias(t, alias, buf_str(&list));
    buf_done(&list);
    return s;
}

struct status aliases_add(struct tables *t, struct str alias, struct str deliver_to)
{
    char name[NAME_SIZE];
    struct status s;

    if (!name_address(alias, name))
        return tables_refused("\"%.*s\" is no address (expected LOCAL@DOMAIN)", STR_ARG(alias));
    s = tables_begin(t);
    if (status_is_ok(&s))
        s = add_alias(t, str_of(name), deliver_to);
    return tables_end(t, s);
}

struct status aliases_del(struct tables *t, struct str alias)
{
    struct db_query *q = tables_query(t, "DELETE FROM aliases WHERE alias = ?1 AND ifnull(is_dom_alias, 0) = 0");
    char name[NAME_SIZE];
    struct status s;

    if (q == NULL)
        return tables_failed(t);
    db_bind_str(q, 1, name_address(alias, name) ? str_of(name) : alias);
    s = tables_execute(t, q);
    if (status_is_ok(&s) && db_changes(tables_db(t)) == 0)
        s = tables_refused("there is no alias %.*s of an address", STR_ARG(alias));
    return s;
}

struct status aliases_list(struct tables *t, void (*row)(void *context, const struct alias_row *r), void *context)
{
    struct db_query *q = tables_query(t, "SELECT id, alias, deliver_to, pipe, is_dom_alias, is_mini_list FROM aliases ORDER BY alias");

    if (q == NULL)
        return tables_failed(t);
    while (db_step(q)) {
        const struct alias_row r = {
            .id = db_int(q, 0),
            .alias = db_str(q, 1),
            .deliver_to = db_str(q, 2),
            .pipe = db_str(q, 3),
            .is_domain = db_int(q, 4) != 0,
            .is_mini_list = db_int(q, 5) != 0,
        };

        row(context, &r);
    }
    return db_finish(q) ? status_ok() : tables_failed(t);
}

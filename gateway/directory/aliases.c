#include "directory/aliases.h"

#include "directory/mailbox.h"
#include "directory/names.h"
#include "directory/rcpthosts.h"

enum { NAMED_MAX = 5 };

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

struct status aliases_note_rest(struct tables *t, struct str login)
{
    struct db_query *q = tables_query(t, "SELECT alias, deliver_to FROM aliases WHERE ifnull(is_dom_alias, 0) = 0 ORDER BY alias");
    struct status s = status_ok();
    struct buf text = {0};
    int count = 0;

    if (q == NULL)
        return tables_failed(t);
    while (db_step(q))
        if (names(db_str(q, 1), login) && ++count <= NAMED_MAX)
            buf_print(&text, "%s%.*s", count > 1 ? ", " : "", STR_ARG(db_str(q, 0)));
    if (count > NAMED_MAX)
        buf_print(&text, " and %d more", count - NAMED_MAX);
    if (count > 0)
        s = status_make(250, "", "aliases still deliver to %.*s: %s", STR_ARG(login), buf_text(&text));
    buf_done(&text);
    return db_finish(q) ? s : tables_failed(t);
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

enum answer aliases_of_domain(struct tables *t, struct str domain, char *alias)
{
    struct db_query *q = tables_query(t, "SELECT alias, deliver_to FROM aliases WHERE is_dom_alias ORDER BY alias");
    char target[DOMAIN_SIZE];
    bool found = false;

    alias[0] = '\0';
    if (q == NULL)
        return ANSWER_FAILED;
    while (!found && db_step(q)) /* an earlier tmail wrote them as they were typed */
        found = domain_normalize(db_str(q, 1), target) && str_equal(str_of(target), domain) && str_copy(db_str(q, 0), alias, DOMAIN_SIZE);
    if (!db_finish(q))
        return ANSWER_FAILED;
    return found ? ANSWER_YES : ANSWER_NO;
}

static void add_target(struct local *alias, struct str address, struct arena *arena)
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
static void read_targets(struct str list, struct arena *arena, struct local *alias)
{
    struct str item;

    while (str_cut_any(&list, "; ", &item))
        if (item.length > 0)
            add_target(alias, item, arena);
}

enum answer aliases_find(struct tables *t, struct str address, struct arena *arena, struct local *found)
{
    struct db_query *q =
        tables_query(t, "SELECT deliver_to, pipe, is_mini_list FROM aliases WHERE alias = ?1 AND ifnull(is_dom_alias, 0) = 0");
    bool stands;

    if (q == NULL)
        return ANSWER_FAILED;
    db_bind_str(q, 1, address);
    if (db_step(q)) {
        read_targets(db_str(q, 0), arena, found);
        found->command = arena_str(arena, db_str(q, 1));
        found->is_list = db_int(q, 2) != 0;
    }
    stands = found->count > 0 || found->command.length > 0;
    if (stands)
        found->alias = arena_str(arena, address);
    else
        *found = (struct local){0};
    if (!db_finish(q))
        return ANSWER_FAILED;
    return stands ? ANSWER_YES : ANSWER_NO;
}

/* A row that has been found, and what it stands for. */
static struct status delete_row(struct tables *t, struct str alias, bool is_domain)
{
    struct db_query *q = tables_query(t, "DELETE FROM aliases WHERE alias = ?1");
    struct status s;

    if (q == NULL)
        return tables_failed(t);
    db_bind_str(q, 1, alias);
    s = tables_execute(t, q);
    if (!status_is_ok(&s))
        return s;
    return is_domain ? rcpthosts_delete_alias(t, alias) : mailbox_note_domain(t, name_domain(alias));
}

static struct status del(struct tables *t, struct str alias)
{
    struct db_query *q = tables_query(t, "SELECT is_dom_alias FROM aliases WHERE alias = ?1");
    bool found, is_domain;

    if (q == NULL)
        return tables_failed(t);
    db_bind_str(q, 1, alias);
    found = db_step(q);
    is_domain = found && db_int(q, 0) != 0;
    if (!db_finish(q))
        return tables_failed(t);
    return found ? delete_row(t, alias, is_domain) : tables_refused("alias %.*s does not exist", STR_ARG(alias));
}

struct status aliases_del(struct tables *t, struct str alias)
{
    struct status s = tables_begin(t);
    char name[NAME_SIZE];

    if (status_is_ok(&s))
        s = del(t, name_address_or_domain(alias, name) ? str_of(name) : alias);
    return tables_end(t, s);
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

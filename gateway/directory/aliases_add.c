#include "directory/aliases.h"

#include "directory/alias_command.h"
#include "directory/alias_loop.h"
#include "directory/mailbox.h"
#include "directory/names.h"
#include "directory/rcpthosts.h"
#include "directory/users.h"
#include "smtp/path.h"

enum { LIST_TAIL_LENGTH = 8 }; /* "-bounces" (policy/lists.h) */

static struct status insert(struct tables *t, struct str alias, struct str deliver_to, const struct new_alias *a, bool is_domain)
{
    struct db_query *q =
        tables_query(t, "INSERT INTO aliases (alias, deliver_to, pipe, is_dom_alias, is_mini_list) VALUES (?1, ?2, ?3, ?4, ?5)");

    if (q == NULL)
        return tables_failed(t);
    db_bind_str(q, 1, alias);
    db_bind_str(q, 2, deliver_to);
    db_bind_str(q, 3, a->command);
    db_bind_int(q, 4, is_domain);
    db_bind_int(q, 5, a->is_list);
    if (db_execute(q))
        return status_ok();
    return db_was_constraint(tables_db(t)) ? tables_refused("alias %.*s already exists", STR_ARG(alias)) : tables_failed(t);
}

/* --- an address --- */

/* LIST as typed becomes one of the table, joined with ;. */
static struct status read_deliver_to(struct str list, struct buf *to)
{
    char name[NAME_SIZE];
    size_t count = 0;
    struct str item;

    while (str_cut_any(&list, "; ", &item)) {
        if (item.length == 0)
            continue;
        if (!name_address(item, name))
            return tables_refused("\"%.*s\" is no address (expected LOCAL@DOMAIN)", STR_ARG(item));
        if (++count > ALIASES_TARGETS_MAX)
            return tables_refused("an alias stands for %d addresses at most", ALIASES_TARGETS_MAX);
        if (to->length > 0)
            buf_add_byte(to, ';');
        buf_add(to, item);
    }
    return status_ok();
}

static struct status check_domain(struct tables *t, struct str domain)
{
    struct rcpthost host;

    switch (rcpthosts_find(t, domain, &host)) {
    case ANSWER_YES:
        if (host.is_local && !host.is_alias)
            return status_ok();
        return tables_refused("the domain of an alias must be a local one, %.*s is %s", STR_ARG(domain),
                              host.is_alias ? "an alias itself" : "not");
    case ANSWER_NO:
        return tables_refused("domain %.*s is not handled by tmail (see tmail rcpthost add -l)", STR_ARG(domain));
    case ANSWER_FAILED:
        break;
    }
    return tables_failed(t);
}

/* Its bounces go to LOCAL-bounces. */
static struct status check_list(struct str alias)
{
    if (name_local(alias).length + LIST_TAIL_LENGTH > PATH_LOCAL_MAX)
        return tables_refused("the name of a mini-list has at most %d characters", PATH_LOCAL_MAX - LIST_TAIL_LENGTH);
    return status_ok();
}

static struct status check_words(struct str alias, const struct new_alias *a, struct buf *deliver_to)
{
    struct status s = read_deliver_to(a->deliver_to, deliver_to);

    if (status_is_ok(&s) && deliver_to->length == 0 && a->is_list)
        s = tables_refused("a mini-list needs addresses to deliver to (-d)");
    if (status_is_ok(&s) && deliver_to->length == 0 && a->command.length == 0)
        s = tables_refused("addresses to deliver to (-d), or a command (-p), are needed");
    if (status_is_ok(&s) && a->command.length > 0)
        s = alias_command_check(a->command);
    if (status_is_ok(&s) && a->is_list)
        s = check_list(alias);
    return s;
}

/* A mailbox of that address would come first, and the alias never be asked. */
static struct status add_address(struct tables *t, struct str alias, struct str deliver_to, const struct new_alias *a)
{
    struct status s = tables_begin(t);

    if (status_is_ok(&s))
        s = check_domain(t, name_domain(alias));
    if (status_is_ok(&s))
        s = tables_unless(t, users_has_mailbox(t, alias), tables_refused("%.*s is an existing user", STR_ARG(alias)));
    if (status_is_ok(&s))
        s = insert(t, alias, deliver_to, a, false);
    if (status_is_ok(&s)) /* with the new row in its place; it goes again where there is one */
        s = alias_loop_check(t, alias, a->delimiter);
    return tables_end(t, s);
}

static struct status read_address(struct tables *t, struct str alias, const struct new_alias *a)
{
    struct buf deliver_to = {0};
    struct status s = check_words(alias, a, &deliver_to);

    if (status_is_ok(&s))
        s = add_address(t, alias, buf_str(&deliver_to), a);
    buf_done(&deliver_to);
    return s;
}

/* --- a domain --- */

static struct status check_target(struct tables *t, struct str target)
{
    struct rcpthost host;

    switch (rcpthosts_find(t, target, &host)) {
    case ANSWER_YES:
        if (host.is_local && !host.is_alias)
            return status_ok();
        return tables_refused("domain %.*s is %s", STR_ARG(target),
                              host.is_alias ? "itself an alias of another domain" : "not a local domain");
    case ANSWER_NO:
        return tables_refused("domain %.*s is not handled by tmail (see tmail rcpthost add -l)", STR_ARG(target));
    case ANSWER_FAILED:
        break;
    }
    return tables_failed(t);
}

/* What it has of its own would come before what the target has. */
static struct status make_alias_domain(struct tables *t, struct str domain)
{
    struct rcpthost host;
    struct status s;

    switch (rcpthosts_find(t, domain, &host)) {
    case ANSWER_YES:
        return host.is_alias ? status_ok() : tables_refused("domain %.*s is an existing domain (and not an alias)", STR_ARG(domain));
    case ANSWER_NO:
        s = mailbox_note_rest(t, domain);
        if (status_is_ok(&s) && s.text[0] != '\0')
            s = tables_refused("domain %.*s has mailboxes or aliases of its own", STR_ARG(domain));
        return status_is_ok(&s) ? rcpthosts_insert(t, domain, &(struct rcpthost){.is_local = true, .is_alias = true}) : s;
    case ANSWER_FAILED:
        break;
    }
    return tables_failed(t);
}

static struct status add_domain(struct tables *t, struct str domain, struct str target, const struct new_alias *a)
{
    struct status s = tables_begin(t);

    if (status_is_ok(&s))
        s = check_target(t, target);
    if (status_is_ok(&s))
        s = insert(t, domain, target, a, true);
    if (status_is_ok(&s))
        s = make_alias_domain(t, domain);
    if (status_is_ok(&s)) /* as it is from now on: aliases may stand for addresses of a domain that was nobody's */
        s = alias_loop_check_domain(t, domain, a->delimiter);
    return tables_end(t, s);
}

static struct status read_domain(struct tables *t, struct str domain, const struct new_alias *a)
{
    char target[DOMAIN_SIZE];
    struct str to = str_trim(a->deliver_to);

    if (a->is_list)
        return tables_refused("the alias of a domain cannot be a mini-list");
    if (a->command.length > 0)
        return tables_refused("the alias of a domain cannot have a command");
    if (to.length == 0)
        return tables_refused("the domain that %.*s stands for (-d) is needed", STR_ARG(domain));
    if (str_has(to, ' ') || str_has(to, ';'))
        return tables_refused("a domain can be an alias of only one other domain");
    if (str_has(to, '@') || !domain_normalize(to, target))
        return tables_refused("\"%.*s\" is no domain, and a domain stands for a domain only", STR_ARG(to));
    if (str_equal(str_of(target), domain))
        return tables_refused("domain %.*s cannot stand for itself", STR_ARG(domain));
    return add_domain(t, domain, str_of(target), a);
}

struct status aliases_add(struct tables *t, const struct new_alias *a)
{
    char name[NAME_SIZE];

    if (!name_address_or_domain(a->alias, name))
        return tables_refused("\"%.*s\" is neither an address nor a domain", STR_ARG(a->alias));
    return str_has(str_of(name), '@') ? read_address(t, str_of(name), a) : read_domain(t, str_of(name), a);
}

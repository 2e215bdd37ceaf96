#include "directory/aliases.h"

#include "directory/names.h"

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

#include "directory/aliases.h"

#include "smtp/domain.h"

enum answer aliases_has_address(struct tables *t, struct str address)
{
    struct db_query *q = tables_query(t, "SELECT 1 FROM aliases WHERE alias = ?1 AND ifnull(is_dom_alias, 0) = 0");
    bool found;

    if (q == NULL)
        return ANSWER_FAILED;
    db_bind_str(q, 1, address);
    found = db_step(q);
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

#include "directory/rcpthosts.h"

#include "directory/aliases.h"
#include "directory/mailbox.h"
#include "smtp/domain.h"

enum answer rcpthosts_find(struct tables *t, struct str domain, struct rcpthost *host)
{
    struct db_query *q = tables_query(t, "SELECT is_local, is_alias FROM rcpt_hosts WHERE hostname = ?1");
    bool found;

    *host = (struct rcpthost){0};
    if (q == NULL)
        return ANSWER_FAILED;
    db_bind_str(q, 1, domain);
    found = db_step(q);
    if (found)
        *host = (struct rcpthost){.is_local = db_int(q, 0) != 0, .is_alias = db_int(q, 1) != 0};
    if (!db_finish(q))
        return ANSWER_FAILED;
    return found ? ANSWER_YES : ANSWER_NO;
}

struct status rcpthosts_insert(struct tables *t, struct str domain, const struct rcpthost *host)
{
    struct db_query *q = tables_query(t, "INSERT INTO rcpt_hosts (hostname, is_local, is_alias) VALUES (?1, ?2, ?3)");

    if (q == NULL)
        return tables_failed(t);
    db_bind_str(q, 1, domain);
    db_bind_int(q, 2, host->is_local);
    db_bind_int(q, 3, host->is_alias);
    return tables_execute(t, q);
}

static const char *kind_of(const struct rcpthost *host)
{
    return host->is_alias ? "an alias" : host->is_local ? "a local" : "a remote";
}

static struct status insert_new(struct tables *t, struct str domain, bool is_local)
{
    struct rcpthost host;

    switch (rcpthosts_find(t, domain, &host)) {
    case ANSWER_YES:
        return tables_refused("%.*s is already in rcpthosts, as %s domain", STR_ARG(domain), kind_of(&host));
    case ANSWER_NO:
        return rcpthosts_insert(t, domain, &(struct rcpthost){.is_local = is_local});
    case ANSWER_FAILED:
        break;
    }
    return tables_failed(t);
}

struct status rcpthosts_add(struct tables *t, struct str domain, bool is_local)
{
    char normal[DOMAIN_SIZE];
    struct status s;

    if (!domain_normalize(domain, normal))
        return tables_refused("\"%.*s\" is no domain", STR_ARG(domain));
    s = tables_begin(t);
    if (status_is_ok(&s))
        s = insert_new(t, str_of(normal), is_local);
    return tables_end(t, s);
}

struct status rcpthosts_delete_alias(struct tables *t, struct str domain)
{
    struct db_query *q = tables_query(t, "DELETE FROM rcpt_hosts WHERE hostname = ?1 AND is_alias");

    if (q == NULL)
        return tables_failed(t);
    db_bind_str(q, 1, domain);
    return tables_execute(t, q);
}

/* Mail for either end of a domain alias would be taken for nobody. */
static struct status check_aliases(struct tables *t, struct str domain)
{
    char other[DOMAIN_SIZE];
    enum answer answer = aliases_target(t, domain, other);

    if (answer == ANSWER_YES)
        return tables_refused("%.*s is an alias of %s (see tmail alias del)", STR_ARG(domain), other);
    if (answer == ANSWER_NO)
        answer = aliases_of_domain(t, domain, other);
    if (answer == ANSWER_YES)
        return tables_refused("the domain %s is an alias of %.*s: delete that first (tmail alias del %s)", other, STR_ARG(domain), other);
    return answer == ANSWER_NO ? status_ok() : tables_failed(t);
}

static struct status del(struct tables *t, struct str domain)
{
    struct db_query *q = tables_query(t, "DELETE FROM rcpt_hosts WHERE hostname = ?1");
    struct status s;

    if (q == NULL)
        return tables_failed(t);
    db_bind_str(q, 1, domain);
    s = tables_execute(t, q);
    if (!status_is_ok(&s))
        return s;
    if (db_changes(tables_db(t)) == 0)
        return tables_refused("%.*s is not in rcpthosts", STR_ARG(domain));
    return mailbox_note_rest(t, domain);
}

struct status rcpthosts_del(struct tables *t, struct str domain)
{
    char normal[DOMAIN_SIZE];
    struct status s = tables_begin(t);

    if (domain_normalize(domain, normal)) /* what an earlier tmail took for a domain can be named as it is */
        domain = str_of(normal);
    if (status_is_ok(&s))
        s = check_aliases(t, domain);
    if (status_is_ok(&s))
        s = del(t, domain);
    return tables_end(t, s);
}

struct status rcpthosts_list(struct tables *t, void (*row)(void *context, const struct rcpthost_row *r), void *context)
{
    struct db_query *q = tables_query(t, "SELECT id, hostname, is_local, is_alias FROM rcpt_hosts ORDER BY hostname");

    if (q == NULL)
        return tables_failed(t);
    while (db_step(q)) {
        struct rcpthost_row r = {
            .id = db_int(q, 0),
            .hostname = db_str(q, 1),
            .host = {.is_local = db_int(q, 2) != 0, .is_alias = db_int(q, 3) != 0},
        };

        row(context, &r);
    }
    return db_finish(q) ? status_ok() : tables_failed(t);
}

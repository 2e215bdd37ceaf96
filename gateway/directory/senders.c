#include "directory/senders.h"

#include "directory/aliases.h"
#include "directory/names.h"

static enum answer has_row(struct tables *t, struct str login, struct str sender)
{
    struct db_query *q = tables_query(t, "SELECT 1 FROM user_senders WHERE login = ?1 AND sender = ?2");
    bool found;

    if (q == NULL)
        return ANSWER_FAILED;
    db_bind_str(q, 1, login);
    db_bind_str(q, 2, sender);
    found = db_step(q);
    if (!db_finish(q))
        return ANSWER_FAILED;
    return found ? ANSWER_YES : ANSWER_NO;
}

static enum answer is_own(struct tables *t, struct str login, struct str address)
{
    return str_equal(login, address) ? ANSWER_YES : aliases_delivers_to(t, address, login);
}

/* One step, as for recipients. */
static enum answer is_own_at_target(struct tables *t, struct str login, struct str address)
{
    char target[DOMAIN_SIZE];
    enum answer answer = aliases_target(t, name_domain(address), target);
    struct arena arena;

    if (answer != ANSWER_YES)
        return answer;
    arena_init(&arena);
    answer = is_own(t, login, name_join(name_local(address), str_of(target), &arena));
    arena_done(&arena);
    return answer;
}

enum answer senders_allow(struct tables *t, struct str login, struct str sender)
{
    char own[NAME_SIZE], address[NAME_SIZE];
    enum answer answer;

    if (!name_address(sender, address))
        return ANSWER_NO;
    login = name_stored_login(login, own);
    sender = str_of(address);
    answer = is_own(t, login, sender);
    if (answer == ANSWER_NO)
        answer = is_own_at_target(t, login, sender);
    if (answer == ANSWER_NO)
        answer = has_row(t, login, sender);
    if (answer == ANSWER_NO)
        answer = has_row(t, login, name_domain(sender));
    return answer;
}

/* A row as it was typed becomes one of the table. */
struct normal_sender {
    char login[NAME_SIZE], sender[NAME_SIZE];
};

static struct status normalize(struct str login, struct str sender, struct normal_sender *n)
{
    if (!name_login(login, n->login))
        return tables_refused("\"%.*s\" is no login", STR_ARG(login));
    if (!name_address_or_domain(sender, n->sender))
        return tables_refused("\"%.*s\" is no address and no domain", STR_ARG(sender));
    return status_ok();
}

struct status senders_add(struct tables *t, struct str login, struct str sender)
{
    struct db_query *q = tables_query(t, "INSERT INTO user_senders (login, sender) VALUES (?1, ?2)");
    struct normal_sender n;
    struct status s = normalize(login, sender, &n);

    if (!status_is_ok(&s))
        return s;
    if (q == NULL)
        return tables_failed(t);
    db_bind_str(q, 1, str_of(n.login));
    db_bind_str(q, 2, str_of(n.sender));
    if (db_execute(q))
        return s;
    return db_was_constraint(tables_db(t)) ? tables_refused("%s may send as %s already", n.login, n.sender) : tables_failed(t);
}

struct status senders_del(struct tables *t, struct str login, struct str sender)
{
    struct db_query *q = tables_query(t, "DELETE FROM user_senders WHERE login = ?1 AND sender = ?2");
    struct normal_sender n;
    struct status s = normalize(login, sender, &n);

    if (!status_is_ok(&s))
        return s;
    if (q == NULL)
        return tables_failed(t);
    db_bind_str(q, 1, str_of(n.login));
    db_bind_str(q, 2, str_of(n.sender));
    s = tables_execute(t, q);
    if (status_is_ok(&s) && db_changes(tables_db(t)) == 0)
        s = tables_refused("there is no sender %s of %s", n.sender, n.login);
    return s;
}

struct status senders_forget(struct tables *t, struct str login)
{
    struct db_query *q = tables_query(t, "DELETE FROM user_senders WHERE login = ?1");

    if (q == NULL)
        return tables_failed(t);
    db_bind_str(q, 1, login);
    return tables_execute(t, q);
}

struct status senders_list(struct tables *t, struct str login, void (*row)(void *context, const struct sender_row *r), void *context)
{
    struct db_query *q = tables_query(t, "SELECT id, login, sender FROM user_senders WHERE ?1 = '' OR login = ?1 ORDER BY login, sender");
    char stored[NAME_SIZE];

    if (q == NULL)
        return tables_failed(t);
    db_bind_str(q, 1, name_stored_login(login, stored));
    while (db_step(q)) {
        const struct sender_row r = {.id = db_int(q, 0), .login = db_str(q, 1), .sender = db_str(q, 2)};

        row(context, &r);
    }
    return db_finish(q) ? status_ok() : tables_failed(t);
}

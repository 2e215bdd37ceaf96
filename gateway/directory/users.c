#include "directory/users.h"

#include "directory/aliases.h"
#include "directory/credentials.h"
#include "directory/homes.h"
#include "directory/mailbox.h"
#include "directory/senders.h"

/* A new user on its way into the table. */
struct entry {
    const struct new_user *new;
    char login[NAME_SIZE];
    struct credentials credentials;
    struct buf quota, home;
};

enum answer users_has_mailbox(struct tables *t, struct str address)
{
    return tables_ask(tables_query(t, "SELECT 1 FROM users WHERE login = ?1 AND have_mailbox"), address);
}

enum answer users_find_catchall(struct tables *t, struct str domain, struct arena *arena, struct str *login)
{
    struct db_query *q = tables_query(t, "SELECT login FROM users WHERE is_catchall AND substr(login, instr(login, '@') + 1) = ?1"
                                         " AND instr(login, '@') > 1 AND have_mailbox");
    bool found;

    if (q == NULL)
        return ANSWER_FAILED;
    db_bind_str(q, 1, domain);
    found = db_step(q);
    if (found)
        *login = arena_str(arena, db_str(q, 0));
    if (!db_finish(q))
        return ANSWER_FAILED;
    return found ? ANSWER_YES : ANSWER_NO;
}

static struct status check_login(struct entry *e)
{
    struct str login = e->new->login;

    if (login.length < LOGIN_MIN || login.length > LOGIN_MAX)
        return tables_refused("a login has %d to %d characters", LOGIN_MIN, LOGIN_MAX);
    if (!name_login(login, e->login))
        return tables_refused("\"%.*s\" is no login (expected an address, or a word without @ and spaces)", STR_ARG(login));
    return status_ok();
}

static struct status check_new(struct entry *e)
{
    const struct new_user *u = e->new;
    struct status s = check_login(e);

    if (!status_is_ok(&s))
        return s;
    if (!u->mailbox && u->catchall)
        return tables_refused("a catch-all needs a mailbox (-m)");
    if (!u->mailbox && u->quota.length > 0)
        return tables_refused("a quota needs a mailbox (-m)");
    if (!u->mailbox)
        return s;
    s = mailbox_check_login(str_of(e->login), u->delimiter);
    if (!status_is_ok(&s))
        return s;
    mailbox_join_home(u->home_base, str_of(e->login), &e->home);
    if (u->quota.length > 0)
        return mailbox_read_quota(u->quota, &e->quota);
    mailbox_write_quota(u->default_quota, &e->quota);
    return s;
}

static struct status check_name_is_free(struct tables *t, const struct entry *e)
{
    enum answer answer = tables_ask(tables_query(t, "SELECT 1 FROM users WHERE login = ?1"), str_of(e->login));
    struct status s = tables_unless(t, answer, tables_refused("user %s already exists", e->login));

    if (status_is_ok(&s) && e->new->mailbox)
        s = tables_unless(t, aliases_has_address(t, str_of(e->login)), tables_refused("%s is an existing alias", e->login));
    return s;
}

static struct status insert(struct tables *t, const struct entry *e)
{
    struct db_query *q = tables_query(t, "INSERT INTO users (login, passwd, dove_passwd, active, auth_relay, have_mailbox, is_catchall,"
                                         " mailbox_quota, home, scram_sha256, cram_md5)"
                                         " VALUES (?1, ?2, ?3, 'Y', ?4, ?5, ?6, ?7, ?8, ?9, ?10)");

    if (q == NULL)
        return tables_failed(t);
    db_bind_str(q, 1, str_of(e->login));
    db_bind_str(q, 2, str_of(e->credentials.passwd));
    db_bind_str(q, 3, str_of(e->credentials.dove_passwd));
    db_bind_int(q, 4, e->new->relay);
    db_bind_int(q, 5, e->new->mailbox);
    db_bind_int(q, 6, e->new->catchall);
    db_bind_str(q, 7, buf_str(&e->quota));
    db_bind_str(q, 8, buf_str(&e->home));
    db_bind_str(q, 9, str_of(e->credentials.scram));
    db_bind_optional(q, 10, str_of(e->credentials.cram));
    return tables_execute(t, q);
}

static struct status add(struct tables *t, const struct entry *e)
{
    struct str login = str_of(e->login);
    struct status s = tables_begin(t);

    if (status_is_ok(&s))
        s = check_name_is_free(t, e);
    if (status_is_ok(&s) && e->new->mailbox)
        s = mailbox_make_domain_local(t, name_domain(login));
    if (status_is_ok(&s) && e->new->catchall)
        s = mailbox_check_only_catchall(t, name_domain(login), login);
    if (status_is_ok(&s))
        s = insert(t, e);
    if (status_is_ok(&s) && e->new->mailbox)
        s = homes_note_existing(buf_str(&e->home));
    return tables_end(t, s);
}

struct status users_add(struct tables *t, const struct new_user *u)
{
    struct entry e = {.new = u};
    struct status s = check_new(&e);

    if (status_is_ok(&s))
        s = credentials_make(u->password, u->cram_md5, &e.credentials);
    if (status_is_ok(&s))
        s = add(t, &e);
    credentials_done(&e.credentials);
    buf_done(&e.quota);
    buf_done(&e.home);
    return s;
}

static enum answer read_home(struct tables *t, struct str login, struct buf *home)
{
    struct db_query *q = tables_query(t, "SELECT home FROM users WHERE login = ?1");
    bool found;

    if (q == NULL)
        return ANSWER_FAILED;
    db_bind_str(q, 1, login);
    found = db_step(q);
    if (found)
        buf_add(home, db_str(q, 0));
    if (!db_finish(q))
        return ANSWER_FAILED;
    return found ? ANSWER_YES : ANSWER_NO;
}

static struct status delete_row(struct tables *t, struct str login)
{
    struct db_query *q = tables_query(t, "DELETE FROM users WHERE login = ?1");
    struct status s;

    if (q == NULL)
        return tables_failed(t);
    db_bind_str(q, 1, login);
    s = tables_execute(t, q);
    return status_is_ok(&s) ? senders_forget(t, login) : s;
}

/* Two notes can be true at once. */
static struct status note_rest(struct tables *t, struct str login)
{
    struct status domain = mailbox_note_domain(t, name_domain(login)), aliases;

    if (!status_is_ok(&domain))
        return domain;
    aliases = aliases_note_rest(t, login);
    if (!status_is_ok(&aliases) || domain.text[0] == '\0')
        return aliases;
    return aliases.text[0] == '\0' ? domain : status_make(250, "", "%s; %s", domain.text, aliases.text);
}

static struct status del(struct tables *t, struct gone_user *gone)
{
    struct str login = str_of(gone->login);
    enum answer answer = read_home(t, login, &gone->home);
    struct status s;

    if (answer == ANSWER_NO)
        return tables_refused("user %s does not exist", gone->login);
    s = answer == ANSWER_YES ? status_ok() : tables_failed(t);
    if (status_is_ok(&s) && gone->purge && gone->home.length > 0)
        s = homes_check_alone(t, login, buf_str(&gone->home));
    if (status_is_ok(&s))
        s = delete_row(t, login);
    return status_is_ok(&s) && gone->home.length > 0 ? note_rest(t, login) : s;
}

struct status users_del(struct tables *t, struct str login, struct gone_user *gone)
{
    struct gone_user nobody = {0};
    struct gone_user *g = gone != NULL ? gone : &nobody;
    char name[NAME_SIZE];
    struct status s = status_ok();

    if (!str_copy(name_stored_login(login, name), g->login, sizeof g->login))
        s = tables_refused("user %.*s does not exist", STR_ARG(login));
    if (status_is_ok(&s))
        s = tables_begin(t);
    if (status_is_ok(&s))
        s = tables_end(t, del(t, g));
    buf_done(&nobody.home);
    return s;
}

struct status users_list(struct tables *t, void (*row)(void *context, const struct user_row *r), void *context)
{
    struct db_query *q = tables_query(t, "SELECT id, login, mailbox_quota, home, active, auth_relay, have_mailbox, is_catchall,"
                                         " ifnull(scram_sha256, '') <> '', ifnull(cram_md5, '') <> '' FROM users ORDER BY login");

    if (q == NULL)
        return tables_failed(t);
    while (db_step(q)) {
        struct user_row r = {
            .id = db_int(q, 0),
            .login = db_str(q, 1),
            .quota = db_str(q, 2),
            .home = db_str(q, 3),
            .active = str_equal(db_str(q, 4), STR("Y")),
            .relay = db_int(q, 5) != 0,
            .mailbox = db_int(q, 6) != 0,
            .catchall = db_int(q, 7) != 0,
            .scram = db_int(q, 8) != 0,
            .cram_md5 = db_int(q, 9) != 0,
        };

        row(context, &r);
    }
    return db_finish(q) ? status_ok() : tables_failed(t);
}

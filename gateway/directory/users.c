#include "directory/users.h"

#include "directory/aliases.h"
#include "directory/credentials.h"
#include "directory/names.h"
#include "directory/rcpthosts.h"
#include "directory/senders.h"

#include <string.h>

/* A new user on its way into the table. */
struct entry {
    const struct new_user *new;
    char login[NAME_SIZE];
    struct credentials credentials;
    struct str local, domain; /* of login; empty for a word */
    struct buf quota, home;
};

enum answer users_has_mailbox(struct tables *t, struct str address)
{
    return tables_ask(tables_query(t, "SELECT 1 FROM users WHERE login = ?1 AND have_mailbox"), address);
}

static struct db_query *catchall_query(struct tables *t)
{
    return tables_query(t, "SELECT login FROM users WHERE is_catchall AND substr(login, instr(login, '@') + 1) = ?1"
                           " AND instr(login, '@') > 1 AND have_mailbox");
}

enum answer users_has_catchall(struct tables *t, struct str domain)
{
    return tables_ask(catchall_query(t), domain);
}

/* "512K", "200M", "1G", or bytes; as Dovecot's quota rules have it. */
static bool read_quota(struct str text, struct buf *to)
{
    struct str number = text;
    uint64_t value;
    char unit = '\0';

    if (text.length > 0 && strchr("kmgKMG", text.data[text.length - 1]) != NULL) {
        unit = (char)(text.data[text.length - 1] & ~0x20);
        number.length--;
    }
    if (!str_number(number, INT64_MAX >> (unit == '\0' ? 0 : 30), &value))
        return false;
    buf_add_number(to, (int64_t)value);
    if (unit != '\0')
        buf_add_byte(to, unit);
    return true;
}

static void write_quota(int64_t bytes, struct buf *to)
{
    static const char units[] = "KMG";
    size_t unit = 0;

    while (unit < sizeof units - 1 && bytes > 0 && bytes % 1024 == 0) {
        bytes /= 1024;
        unit++;
    }
    buf_add_number(to, bytes);
    if (unit > 0)
        buf_add_byte(to, units[unit - 1]);
}

/* The first character, which is one to four bytes of UTF-8. */
static struct str first_character(struct str text)
{
    size_t length = 1;

    while (length < text.length && ((unsigned char)text.data[length] & 0xc0) == 0x80)
        length++;
    return str_part(text, 0, length);
}

static void write_home(struct entry *e)
{
    const struct str parts[] = {first_character(e->domain), e->domain, first_character(e->local), e->local};
    struct str base = e->new->home_base;

    while (base.length > 1 && str_ends(base, STR("/")))
        base.length--;
    buf_add(&e->home, base);
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        buf_add_byte(&e->home, '/');
        buf_add(&e->home, parts[i]);
    }
}

/* The local part becomes the name of a folder. */
static struct status check_mailbox(const struct entry *e)
{
    if (e->domain.length == 0)
        return tables_refused("the login of a mailbox is an address, %s is none", e->login);
    if (str_has(e->local, '/') || str_has(e->local, '"') || e->local.length > 64)
        return tables_refused("%s cannot be the name of a mailbox", e->login);
    if (str_starts(e->domain, STR("[")))
        return tables_refused("a mailbox needs a domain, not the address %.*s", STR_ARG(e->domain));
    return status_ok();
}

static struct status check_login(struct entry *e)
{
    struct str login = e->new->login;

    if (login.length < LOGIN_MIN || login.length > LOGIN_MAX)
        return tables_refused("a login has %d to %d characters", LOGIN_MIN, LOGIN_MAX);
    if (!name_login(login, e->login))
        return tables_refused("\"%.*s\" is no login (expected an address, or a word without @ and spaces)", STR_ARG(login));
    e->local = name_local(str_of(e->login));
    e->domain = name_domain(str_of(e->login));
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
    s = check_mailbox(e);
    if (!status_is_ok(&s))
        return s;
    if (u->quota.length == 0)
        write_quota(u->default_quota, &e->quota);
    else if (!read_quota(u->quota, &e->quota))
        return tables_refused("\"%.*s\" is no quota (expected bytes, or a number with K, M or G)", STR_ARG(u->quota));
    write_home(e);
    return s;
}

/* NO: go on; YES: REFUSAL; FAILED: what SQLite said. */
static struct status unless(struct tables *t, enum answer answer, struct status refusal)
{
    if (answer == ANSWER_FAILED)
        return tables_failed(t);
    return answer == ANSWER_YES ? refusal : status_ok();
}

static struct status check_name_is_free(struct tables *t, const struct entry *e)
{
    enum answer answer = tables_ask(tables_query(t, "SELECT 1 FROM users WHERE login = ?1"), str_of(e->login));
    struct status s = unless(t, answer, tables_refused("user %s already exists", e->login));

    if (status_is_ok(&s) && e->new->mailbox)
        s = unless(t, aliases_has_address(t, str_of(e->login)), tables_refused("%s is an existing alias", e->login));
    return s;
}

static struct status make_domain_local(struct tables *t, struct str domain)
{
    struct rcpthost host;

    switch (rcpthosts_find(t, domain, &host)) {
    case ANSWER_NO:
        return rcpthosts_insert(t, domain, true);
    case ANSWER_YES:
        if (host.is_alias)
            return tables_refused("domain %.*s is an alias of another domain", STR_ARG(domain));
        return host.is_local ? status_ok() : tables_refused("domain %.*s is in rcpthosts as a remote domain", STR_ARG(domain));
    case ANSWER_FAILED:
        break;
    }
    return tables_failed(t);
}

static struct status check_only_catchall(struct tables *t, struct str domain)
{
    struct db_query *q = catchall_query(t);
    struct status s = status_ok();

    if (q == NULL)
        return tables_failed(t);
    db_bind_str(q, 1, domain);
    if (db_step(q)) {
        struct str login = db_str(q, 0);

        s = tables_refused("domain %.*s already has a catch-all: %.*s", STR_ARG(domain), STR_ARG(login));
    }
    return db_finish(q) ? s : tables_failed(t);
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
    struct status s = tables_begin(t);

    if (status_is_ok(&s))
        s = check_name_is_free(t, e);
    if (status_is_ok(&s) && e->new->mailbox)
        s = make_domain_local(t, e->domain);
    if (status_is_ok(&s) && e->new->catchall)
        s = check_only_catchall(t, e->domain);
    if (status_is_ok(&s))
        s = insert(t, e);
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

/* Runs Q, whose parameters are bound, and minds that it met the user. */
static struct status change_one(struct tables *t, struct db_query *q, struct str login)
{
    if (!db_execute(q))
        return tables_failed(t);
    if (db_changes(tables_db(t)) == 0)
        return tables_refused("user %.*s does not exist", STR_ARG(login));
    return status_ok();
}

static struct status set_credentials(struct tables *t, struct str login, const struct credentials *c)
{
    struct db_query *q = tables_query(t, "UPDATE users SET passwd = ?2, dove_passwd = ?3, scram_sha256 = ?4, cram_md5 = ?5"
                                         " WHERE login = ?1");

    if (q == NULL)
        return tables_failed(t);
    db_bind_str(q, 1, login);
    db_bind_str(q, 2, str_of(c->passwd));
    db_bind_str(q, 3, str_of(c->dove_passwd));
    db_bind_str(q, 4, str_of(c->scram));
    db_bind_optional(q, 5, str_of(c->cram));
    return change_one(t, q, login);
}

static struct status set_active(struct tables *t, struct str login, bool active)
{
    struct db_query *q = tables_query(t, "UPDATE users SET active = ?2 WHERE login = ?1");

    if (q == NULL)
        return tables_failed(t);
    db_bind_str(q, 1, login);
    db_bind_str(q, 2, active ? STR("Y") : STR("N"));
    return change_one(t, q, login);
}

static struct status update(struct tables *t, struct str login, const struct user_update *u, const struct credentials *c)
{
    struct status s = tables_begin(t);

    if (status_is_ok(&s) && u->password != NULL)
        s = set_credentials(t, login, c);
    if (status_is_ok(&s) && u->active != NULL)
        s = set_active(t, login, *u->active);
    return tables_end(t, s);
}

struct status users_update(struct tables *t, struct str login, const struct user_update *u)
{
    struct credentials c = {0};
    struct status s = status_ok();
    char stored[NAME_SIZE];

    if (u->password != NULL)
        s = credentials_make(*u->password, u->cram_md5, &c);
    if (status_is_ok(&s))
        s = update(t, name_stored_login(login, stored), u, &c);
    credentials_done(&c);
    return s;
}

static struct status delete_row(struct tables *t, struct str login)
{
    struct db_query *q = tables_query(t, "DELETE FROM users WHERE login = ?1");

    if (q == NULL)
        return tables_failed(t);
    db_bind_str(q, 1, login);
    return change_one(t, q, login);
}

struct status users_del(struct tables *t, struct str login)
{
    char stored[NAME_SIZE];
    struct status s = tables_begin(t);

    login = name_stored_login(login, stored);
    if (status_is_ok(&s))
        s = delete_row(t, login);
    if (status_is_ok(&s))
        s = senders_forget(t, login);
    return tables_end(t, s);
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

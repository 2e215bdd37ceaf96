#include "directory/users.h"

#include "directory/aliases.h"
#include "directory/credentials.h"
#include "directory/homes.h"
#include "directory/mailbox.h"

/* A user as the table has it, and as it shall be. */
struct change {
    const struct user_update *update;
    struct str login;
    const struct credentials *credentials; /* of a new password */
    bool active, relay, mailbox, catchall;
    bool had_mailbox;
    struct buf quota, home;
    struct status note; /* what else the administrator should know */
};

static enum answer read_row(struct tables *t, struct change *c)
{
    struct db_query *q =
        tables_query(t, "SELECT active, auth_relay, have_mailbox, is_catchall, mailbox_quota, home FROM users WHERE login = ?1");
    bool found;

    if (q == NULL)
        return ANSWER_FAILED;
    db_bind_str(q, 1, c->login);
    found = db_step(q);
    if (found) {
        c->active = str_equal(db_str(q, 0), STR("Y"));
        c->relay = db_int(q, 1) != 0;
        c->mailbox = db_int(q, 2) != 0;
        c->catchall = db_int(q, 3) != 0;
        buf_add(&c->quota, db_str(q, 4));
        buf_add(&c->home, db_str(q, 5));
    }
    if (!db_finish(q))
        return ANSWER_FAILED;
    return found ? ANSWER_YES : ANSWER_NO;
}

static void take(bool *to, const bool *value)
{
    if (value != NULL)
        *to = *value;
}

static struct status take_flags(struct change *c)
{
    const struct user_update *u = c->update;

    c->had_mailbox = c->mailbox;
    take(&c->active, u->active);
    take(&c->relay, u->relay);
    take(&c->mailbox, u->mailbox);
    take(&c->catchall, u->catchall);
    if (c->mailbox)
        return status_ok();
    if (u->quota.length > 0)
        return tables_refused("a quota needs a mailbox, and %.*s has none (--mailbox yes)", STR_ARG(c->login));
    if (c->catchall && u->catchall == NULL && u->mailbox != NULL)
        return tables_refused("%.*s is the catch-all of its domain, which needs a mailbox (--catchall no)", STR_ARG(c->login));
    if (c->catchall && u->catchall != NULL)
        return tables_refused("a catch-all needs a mailbox, and %.*s has none (--mailbox yes)", STR_ARG(c->login));
    return status_ok();
}

/* As users_add does. */
static struct status make_mailbox(struct tables *t, struct change *c)
{
    struct status s = mailbox_check_login(c->login, c->update->delimiter);

    if (!status_is_ok(&s))
        return s;
    s = tables_unless(t, aliases_has_address(t, c->login), tables_refused("%.*s is an existing alias", STR_ARG(c->login)));
    if (!status_is_ok(&s))
        return s;
    if (c->home.length == 0) {
        mailbox_join_home(c->update->home_base, c->login, &c->home);
        c->note = homes_note_existing(buf_str(&c->home));
    }
    if (c->quota.length == 0)
        mailbox_write_quota(c->update->default_quota, &c->quota);
    return mailbox_make_domain_local(t, name_domain(c->login));
}

static struct status judge(struct tables *t, struct change *c)
{
    struct status s = take_flags(c);

    if (status_is_ok(&s) && c->mailbox && !c->had_mailbox)
        s = make_mailbox(t, c);
    if (status_is_ok(&s) && c->update->quota.length > 0) {
        buf_clear(&c->quota);
        s = mailbox_read_quota(c->update->quota, &c->quota);
    }
    if (status_is_ok(&s) && c->catchall && c->update->catchall != NULL)
        s = mailbox_check_only_catchall(t, name_domain(c->login), c->login);
    return s;
}

static struct status write_row(struct tables *t, const struct change *c)
{
    struct db_query *q =
        tables_query(t, "UPDATE users SET active = ?2, auth_relay = ?3, have_mailbox = ?4, is_catchall = ?5, mailbox_quota = ?6,"
                        " home = ?7 WHERE login = ?1");

    if (q == NULL)
        return tables_failed(t);
    db_bind_str(q, 1, c->login);
    db_bind_str(q, 2, c->active ? STR("Y") : STR("N"));
    db_bind_int(q, 3, c->relay);
    db_bind_int(q, 4, c->mailbox);
    db_bind_int(q, 5, c->catchall);
    db_bind_str(q, 6, buf_str(&c->quota));
    db_bind_str(q, 7, buf_str(&c->home));
    return tables_execute(t, q);
}

static struct status write_credentials(struct tables *t, const struct change *c)
{
    struct db_query *q =
        tables_query(t, "UPDATE users SET passwd = ?2, dove_passwd = ?3, scram_sha256 = ?4, cram_md5 = ?5 WHERE login = ?1");

    if (q == NULL)
        return tables_failed(t);
    db_bind_str(q, 1, c->login);
    db_bind_str(q, 2, str_of(c->credentials->passwd));
    db_bind_str(q, 3, str_of(c->credentials->dove_passwd));
    db_bind_str(q, 4, str_of(c->credentials->scram));
    db_bind_optional(q, 5, str_of(c->credentials->cram));
    return tables_execute(t, q);
}

static struct status write_all(struct tables *t, struct change *c)
{
    struct status s = judge(t, c);

    if (status_is_ok(&s))
        s = write_row(t, c);
    if (status_is_ok(&s) && c->update->password != NULL)
        s = write_credentials(t, c);
    if (status_is_ok(&s) && c->had_mailbox && !c->mailbox)
        s = mailbox_note_domain(t, name_domain(c->login));
    return status_is_ok(&s) && s.text[0] == '\0' ? c->note : s;
}

static struct status change(struct tables *t, struct change *c)
{
    struct status s = tables_begin(t);

    if (!status_is_ok(&s))
        return s;
    switch (read_row(t, c)) {
    case ANSWER_YES:
        s = write_all(t, c);
        break;
    case ANSWER_NO:
        s = tables_refused("user %.*s does not exist", STR_ARG(c->login));
        break;
    case ANSWER_FAILED:
        s = tables_failed(t);
        break;
    }
    return tables_end(t, s);
}

struct status users_update(struct tables *t, struct str login, const struct user_update *u)
{
    struct credentials credentials = {0};
    char stored[NAME_SIZE];
    struct change c = {.update = u, .login = name_stored_login(login, stored), .credentials = &credentials, .note = status_ok()};
    struct status s = status_ok();

    if (u->password != NULL)
        s = credentials_make(*u->password, u->cram_md5, &credentials);
    if (status_is_ok(&s))
        s = change(t, &c);
    credentials_done(&credentials);
    buf_done(&c.quota);
    buf_done(&c.home);
    return s;
}

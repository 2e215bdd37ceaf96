#include "directory/mailbox.h"

#include "directory/names.h"
#include "directory/rcpthosts.h"
#include "directory/users.h"
#include "smtp/path.h"

#include <string.h>

struct status mailbox_check_login(struct str login, char delimiter)
{
    struct str local = name_local(login), domain = name_domain(login);

    if (domain.length == 0)
        return tables_refused("the login of a mailbox is an address, %.*s is none", STR_ARG(login));
    if (str_has(local, '/') || str_has(local, '"') || local.length > PATH_LOCAL_MAX)
        return tables_refused("%.*s cannot be the name of a mailbox", STR_ARG(login));
    if (str_starts(domain, STR("[")))
        return tables_refused("a mailbox needs a domain, not the address %.*s", STR_ARG(domain));
    if (delimiter != '\0' && str_has(local, delimiter))
        return tables_refused("%.*s cannot be the name of a mailbox: what stands behind the %c is a detail (TMAIL_RECIPIENT_DELIMITER), and"
                              " the mail would come to another mailbox",
                              STR_ARG(login), delimiter);
    return status_ok();
}

struct status mailbox_read_quota(struct str text, struct buf *to)
{
    struct str number = text;
    uint64_t value;
    char unit = '\0';

    if (text.length > 0 && strchr("kmgKMG", text.data[text.length - 1]) != NULL) {
        unit = (char)(text.data[text.length - 1] & ~0x20);
        number.length--;
    }
    if (!str_number(number, INT64_MAX >> (unit == '\0' ? 0 : 30), &value))
        return tables_refused("\"%.*s\" is no quota (expected bytes, or a number with K, M or G)", STR_ARG(text));
    buf_add_number(to, (int64_t)value);
    if (unit != '\0')
        buf_add_byte(to, unit);
    return status_ok();
}

void mailbox_write_quota(int64_t bytes, struct buf *to)
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

void mailbox_write_home(struct str login, struct buf *to)
{
    struct str local = name_local(login), domain = name_domain(login);
    const struct str parts[] = {first_character(domain), domain, first_character(local), local};

    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        if (i > 0)
            buf_add_byte(to, '/');
        buf_add(to, parts[i]);
    }
}

void mailbox_join_home(struct str base, struct str login, struct buf *to)
{
    while (base.length > 1 && str_ends(base, STR("/")))
        base.length--;
    buf_add(to, base);
    buf_add_byte(to, '/');
    mailbox_write_home(login, to);
}

struct status mailbox_make_domain_local(struct tables *t, struct str domain)
{
    struct rcpthost host;

    switch (rcpthosts_find(t, domain, &host)) {
    case ANSWER_NO:
        return rcpthosts_insert(t, domain, &(struct rcpthost){.is_local = true});
    case ANSWER_YES:
        if (host.is_alias)
            return tables_refused("domain %.*s is an alias of another domain", STR_ARG(domain));
        return host.is_local ? status_ok() : tables_refused("domain %.*s is in rcpthosts as a remote domain", STR_ARG(domain));
    case ANSWER_FAILED:
        break;
    }
    return tables_failed(t);
}

struct status mailbox_check_only_catchall(struct tables *t, struct str domain, struct str login)
{
    struct status s = status_ok();
    struct str other;
    struct arena arena;

    arena_init(&arena);
    switch (users_find_catchall(t, domain, &arena, &other)) {
    case ANSWER_YES:
        if (!str_equal(other, login))
            s = tables_refused("domain %.*s already has a catch-all: %.*s", STR_ARG(domain), STR_ARG(other));
        break;
    case ANSWER_NO:
        break;
    case ANSWER_FAILED:
        s = tables_failed(t);
        break;
    }
    arena_done(&arena);
    return s;
}

static bool count_in(struct tables *t, const char *sql, struct str domain, int64_t *count)
{
    struct db_query *q = tables_query(t, sql);

    if (q == NULL)
        return false;
    db_bind_str(q, 1, domain);
    *count = db_step(q) ? db_int(q, 0) : 0;
    return db_finish(q);
}

static bool count_all(struct tables *t, struct str domain, int64_t *mailboxes, int64_t *aliases)
{
    return count_in(
               t, "SELECT count(*) FROM users WHERE have_mailbox AND instr(login, '@') > 1 AND substr(login, -length(?1) - 1) = '@' || ?1",
               domain, mailboxes) &&
           count_in(t, "SELECT count(*) FROM aliases WHERE ifnull(is_dom_alias, 0) = 0 AND substr(alias, -length(?1) - 1) = '@' || ?1",
                    domain, aliases);
}

struct status mailbox_note_domain(struct tables *t, struct str domain)
{
    int64_t mailboxes, aliases;
    struct rcpthost host;
    enum answer answer = rcpthosts_find(t, domain, &host);

    if (answer == ANSWER_FAILED || !count_all(t, domain, &mailboxes, &aliases))
        return tables_failed(t);
    if (answer == ANSWER_NO || !host.is_local || host.is_alias || mailboxes > 0 || aliases > 0)
        return status_ok();
    return status_make(
        250, "", "%.*s stays a local domain, without mailboxes or aliases: mail for it is refused (tmail rcpthost del %.*s gives it up)",
        STR_ARG(domain), STR_ARG(domain));
}

struct status mailbox_note_rest(struct tables *t, struct str domain)
{
    int64_t mailboxes, aliases;

    if (!count_all(t, domain, &mailboxes, &aliases))
        return tables_failed(t);
    if (mailboxes == 0 && aliases == 0)
        return status_ok();
    return status_make(250, "", "%lld mailboxes and %lld aliases of %.*s stay, and get no more mail", (long long)mailboxes,
                       (long long)aliases, STR_ARG(domain));
}

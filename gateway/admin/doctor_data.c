#include "admin/doctor.h"

#include "base/memory.h"
#include "directory/aliases.h"
#include "directory/rcpthosts.h"
#include "directory/relayips.h"
#include "directory/routes.h"
#include "directory/users.h"
#include "dovecot/setup.h"

#include <errno.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { ERROR_SIZE = 1024 };

/* What it is that a domain, one of a few names in a sentence, has. */
struct names {
    size_t count;
    struct buf text;
};

enum { NAMES_SHOWN = 3, HOMES_NAMED = 5 };

static void add_name(struct names *n, struct str name)
{
    if (n->count++ < NAMES_SHOWN)
        buf_print(&n->text, "%s%.*s", n->count > 1 ? ", " : "", STR_ARG(name));
    else if (n->count == NAMES_SHOWN + 1)
        buf_add_text(&n->text, ", ...");
}

static struct tables *open_tables(struct doctor *d)
{
    char error[ERROR_SIZE];

    return tables_open_read(d->conf->db_path, error, sizeof error); /* why not is said by doctor_database */
}

void doctor_database(struct doctor *d)
{
    const char *path = d->conf->db_path;
    char error[ERROR_SIZE];
    struct tables *t;

    if (access(path, F_OK) != 0 && errno == ENOENT) {
        doctor_wrong(d, "%s is not there: the first tmail user add, tmail rcpthost add or tmail run makes it", path);
        return;
    }
    if (access(path, R_OK | W_OK) != 0) {
        doctor_wrong(d, "%s cannot open %s (%s): chown %s %s, and the folder around it must be %s's, too", doctor_self(), path,
                     strerror(errno), doctor_self(), path, doctor_self());
        return;
    }
    t = tables_open_read(path, error, sizeof error);
    if (t == NULL)
        doctor_wrong(d, "%s: see the message; a copy from before can be put in its place while tmail is stopped", error);
    else
        doctor_ok(d, "%s can be read and written by %s", path, doctor_self());
    tables_close(&t);
}

/* Domains */

struct domains {
    struct doctor *doctor;
    struct tables *tables;
    struct names local, unread;
    bool failed;
};

enum answer doctor_has_route(struct tables *t, struct str domain)
{
    const struct route_question question = {.domain = domain, .named = true};
    struct route *routes;
    struct arena arena;
    enum answer answer;
    size_t count;

    arena_init(&arena);
    answer = routes_find(t, &question, &arena, &routes, &count);
    arena_done(&arena);
    return answer;
}

static bool has_route(struct domains *ds, struct str domain)
{
    enum answer answer = doctor_has_route(ds->tables, domain);

    ds->failed = ds->failed || answer == ANSWER_FAILED;
    return answer == ANSWER_YES;
}

static bool has_postmaster(struct domains *ds, struct str domain)
{
    struct buf address = {0};
    struct str login;
    struct arena arena;
    enum answer answers[3];
    bool found = false;

    arena_init(&arena);
    buf_print(&address, "postmaster@%.*s", STR_ARG(domain));
    answers[0] = users_has_mailbox(ds->tables, buf_str(&address));
    answers[1] = aliases_has_address(ds->tables, buf_str(&address));
    answers[2] = users_find_catchall(ds->tables, domain, &arena, &login);
    for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++) {
        found = found || answers[i] == ANSWER_YES;
        ds->failed = ds->failed || answers[i] == ANSWER_FAILED;
    }
    buf_done(&address);
    arena_done(&arena);
    return found;
}

/* LIST holds rows while it asks; these questions have statements of their own. */
static void take_domain(void *context, const struct rcpthost_row *r)
{
    struct domains *ds = context;

    if (!r->host.is_local || r->host.is_alias || has_route(ds, r->hostname))
        return;
    add_name(&ds->local, r->hostname);
    if (!has_postmaster(ds, r->hostname))
        add_name(&ds->unread, r->hostname);
}

static void judge_domains(struct domains *ds)
{
    struct doctor *d = ds->doctor;

    if (ds->local.count == 0)
        doctor_note(d, "no domain has its mailboxes here (tmail rcpthost add -l DOMAIN, tmail user add -m LOGIN)");
    else if (!d->conf->dovecot_support_enabled)
        doctor_wrong(d, "mail for local domains (%s) is taken and waits, because TMAIL_DOVECOT_SUPPORT_ENABLED is false: set it to true",
                     buf_text(&ds->local.text));
    else
        doctor_ok(d, "%zu with mailboxes here: %s", ds->local.count, buf_text(&ds->local.text));
    if (ds->unread.count > 0 && d->conf->postmaster[0] == '\0')
        doctor_wrong(d, "nobody gets the mail for postmaster at %s: set TMAIL_POSTMASTER, or tmail alias add postmaster@DOMAIN ADDRESS",
                     buf_text(&ds->unread.text));
}

void doctor_domains(struct doctor *d)
{
    struct domains ds = {.doctor = d, .tables = open_tables(d)};
    struct status s;

    if (ds.tables == NULL)
        return;
    s = rcpthosts_list(ds.tables, take_domain, &ds);
    if (!status_is_ok(&s) || ds.failed)
        doctor_wrong(d, "the domains cannot be read (%s): a start of tmail brings an older database up to date", s.text);
    else
        judge_domains(&ds);
    buf_done(&ds.local.text);
    buf_done(&ds.unread.text);
    tables_close(&ds.tables);
}

/* Mailboxes */

struct home {
    struct str login, folder; /* with a slash at its end */
};

struct homes {
    struct doctor *doctor;
    struct arena arena;
    struct home *items;
    size_t count, room;
};

static struct str with_slash(struct str folder, struct arena *arena)
{
    struct buf text = {0};
    struct str whole;

    while (str_ends(folder, STR("/")))
        folder.length--;
    buf_print(&text, "%.*s/", STR_ARG(folder));
    whole = arena_str(arena, buf_str(&text));
    buf_done(&text);
    return whole;
}

static void keep_home(struct homes *h, const struct user_row *r)
{
    if (r->home.length == 0)
        return;
    if (h->count == h->room) {
        h->room = h->room * 2 + 64;
        h->items = memory_resize(h->items, h->room * sizeof *h->items);
    }
    h->items[h->count++] = (struct home){arena_str(&h->arena, r->login), with_slash(r->home, &h->arena)};
}

static void take_user(void *context, const struct user_row *r)
{
    struct homes *h = context;

    if (!r->mailbox)
        return;
    doctor_mailbox(h->doctor, r->login, r->home);
    keep_home(h, r);
}

static int compare_homes(const void *a, const void *b)
{
    const struct str left = ((const struct home *)a)->folder, right = ((const struct home *)b)->folder;
    int order = memcmp(left.data, right.data, left.length < right.length ? left.length : right.length);

    return order != 0 ? order : (left.length > right.length) - (left.length < right.length);
}

static void tell_shared(struct doctor *d, const struct home *outer, const struct home *inner)
{
    const char *advice = "move one of them, and say so in the column home of";

    if (str_equal(outer->folder, inner->folder))
        doctor_wrong(d, "%.*s and %.*s have the same home, %.*s, and so read each other's mail: %s %s", STR_ARG(outer->login),
                     STR_ARG(inner->login), STR_ARG(inner->folder), advice, d->conf->db_path);
    else
        doctor_wrong(d, "the home of %.*s, %.*s, is within that of %.*s: %s %s", STR_ARG(inner->login), STR_ARG(inner->folder),
                     STR_ARG(outer->login), advice, d->conf->db_path);
}

/* What lies within a folder comes right behind it in the order of their names. */
static void judge_shared(struct homes *h)
{
    const struct home *outer = NULL;
    size_t wrong = 0;

    if (h->count > 1)
        qsort(h->items, h->count, sizeof *h->items, compare_homes);
    for (const struct home *inner = h->items; inner < h->items + h->count; inner++)
        if (outer == NULL || !str_starts(inner->folder, outer->folder))
            outer = inner;
        else if (wrong++ < HOMES_NAMED)
            tell_shared(h->doctor, outer, inner);
    if (wrong > HOMES_NAMED)
        doctor_wrong(h->doctor, "and %zu mailboxes more have a home that is another's, or lies within it", wrong - HOMES_NAMED);
}

void doctor_mailboxes(struct doctor *d)
{
    struct homes homes = {.doctor = d};
    struct tables *t = open_tables(d);
    struct status s;

    if (t == NULL)
        return;
    arena_init(&homes.arena);
    s = users_list(t, take_user, &homes);
    if (status_is_ok(&s))
        judge_shared(&homes);
    else
        doctor_wrong(d, "the users cannot be read (%s): a start of tmail brings an older database up to date", s.text);
    memory_free(&homes.items);
    arena_done(&homes.arena);
    tables_close(&t);
}

static bool is_below(struct str path, const char *base)
{
    struct str folder = str_of(base);

    while (str_ends(folder, STR("/")))
        folder.length--;
    return str_starts(path, folder) && path.length > folder.length + 1 && path.data[folder.length] == '/' &&
           !str_contains(path, STR("/../")) && !str_ends(path, STR("/.."));
}

static const char *owner_of(const char *path, const struct passwd *expected, bool *differs)
{
    const struct passwd *user;
    struct stat folder;

    *differs = expected != NULL && stat(path, &folder) == 0 && folder.st_uid != expected->pw_uid;
    user = *differs ? getpwuid(folder.st_uid) : NULL;
    return user != NULL ? user->pw_name : "another user";
}

bool doctor_judge_home(const struct doctor *d, struct str login, struct str home, struct buf *text)
{
    const struct passwd *mail_user = geteuid() == 0 ? getpwnam(d->mail_user) : getpwuid(geteuid());
    char path[4096], expected[64] = "";
    bool differs = false;

    if (mail_user != NULL)
        str_copy(str_of(mail_user->pw_name), expected, sizeof expected);
    if (home.length == 0)
        buf_print(text, "%.*s has no home: delete the user and add it again (tmail user del, tmail user add -m)", STR_ARG(login));
    else if (!is_below(home, d->conf->users_home_base))
        buf_print(text, "the home of %.*s, %.*s, is not below %s (TMAIL_USERS_HOME_BASE): move the folder, and say so in the column home of %s",
                  STR_ARG(login), STR_ARG(home), d->conf->users_home_base, d->conf->db_path);
    else if (str_copy(home, path, sizeof path)) {
        const char *owner = owner_of(path, mail_user, &differs);

        if (differs)
            buf_print(text, "the home of %.*s belongs to %s, and mail is written by %s: chown -R %s %s", STR_ARG(login), owner, expected, expected,
                      path);
    }
    return text->length == 0;
}

void doctor_relay(struct doctor *d)
{
    const struct setup_wish wish = {0};
    struct tables *t = doctor_has_dovecot_here(d->conf) && d->conf->dovecot_support_enabled ? open_tables(d) : NULL;
    struct address address;
    struct setup setup;

    if (t == NULL)
        return;
    if (setup_init(&setup, d->conf, &wish) && address_parse(&address, str_of(setup.relayip)) && relayips_find(t, &address) == ANSWER_NO)
        doctor_note(d, "%s is no relay client, so what sieve scripts send to other hosts is refused: tmail relayip add %s", setup.relayip,
                    setup.relayip);
    setup_done(&setup);
    tables_close(&t);
}

#include "admin/user_words.h"

#include "admin/change.h"
#include "admin/groups.h"
#include "admin/listing.h"
#include "admin/secret.h"
#include "admin/user_home.h"
#include "conf/sasl_list.h"

#include <stdio.h>
#include <string.h>

static const struct option_spec add_options[] = {
    {"mailbox", "m", NULL, "the user has a mailbox; the login is its address, its domain becomes local"},
    {"relay", "r", NULL, "the user may relay after authentication"},
    {"quota", "q", "BYTES", "size of the mailbox, with K, M or G; TMAIL_USERS_MAILBOX_DEFAULT_QUOTA without this"},
    {"catchall", NULL, NULL, "the mailbox takes mail for all unknown addresses of its domain"},
    CHANGE_OPTION_CREATE,
    {0},
};
static const struct option_spec update_options[] = {
    {"password", "p", "PASSWORD", "the new password; without any option it is read from the terminal or standard input"},
    {"active", NULL, "yes|no", "whether the user may log in; mail is received either way"},
    {"mailbox", NULL, "yes|no", "whether the user has a mailbox; one that is taken away keeps its mail on disk"},
    {"relay", NULL, "yes|no", "whether the user may relay after authentication"},
    {"catchall", NULL, "yes|no", "whether the mailbox takes mail for all unknown addresses of its domain"},
    {"quota", "q", "BYTES", "size of the mailbox, with K, M or G"},
    CHANGE_OPTION_CREATE,
    {0},
};
static const struct option_spec del_options[] = {
    {"purge-home", NULL, NULL, "delete the mail, too: the home that tmail made of the login, and all in it"},
    {"yes", NULL, NULL, "do not ask"},
    CHANGE_OPTION_CREATE,
    {0},
};

/* What CRAM-MD5 needs is as good as the password itself: it is kept only while that mechanism is offered. */
static bool keeps_cram_md5(const struct conf *c)
{
    struct sasl_list list;
    struct buf errors = {0};
    bool keeps = sasl_list_parse(&list, str_of(c->smtpd_auth_mechanisms), &errors) && sasl_list_has(&list, "CRAM-MD5");

    buf_done(&errors);
    return keeps;
}

/* Nothing is wrong, but mail for a new mailbox will not come there. */
static void note_delivery(const struct invocation *i)
{
    if (!i->conf->dovecot_support_enabled)
        fprintf(stderr, "tmail %s %s: note: mail for the mailbox will wait in the queue while TMAIL_DOVECOT_SUPPORT_ENABLED is false\n",
                i->group->noun, i->command->verb);
    if (i->conf->local_delivery == LOCAL_DELIVERY_LMTP && !str_is_ascii(name_local(str_of(i->words[0]))))
        fprintf(stderr,
                "tmail %s %s: note: Dovecot's LMTP may refuse a name beyond ASCII; dovecot-lda takes it (TMAIL_LOCAL_DELIVERY=lda)\n",
                i->group->noun, i->command->verb);
}

int user_add(struct invocation *i, struct new_user *u)
{
    struct tables *t;
    struct status s;
    int result = change_open(i, &t);

    if (result != EXIT_DONE)
        return result;
    u->home_base = str_of(i->conf->users_home_base);
    u->default_quota = i->conf->users_mailbox_default_quota;
    u->delimiter = i->conf->recipient_delimiter[0];
    u->cram_md5 = keeps_cram_md5(i->conf);
    s = users_add(t, u);
    result = change_close(i, &t, &s);
    if (result == EXIT_DONE && u->mailbox)
        note_delivery(i);
    return result;
}

/* GIVEN, or what is typed into ROOM. */
static int get_password(const struct invocation *i, const char *given, char *room, struct str *password)
{
    const char *problem;

    if (given == NULL && !secret_read(room, &problem))
        return invocation_fail(i, "%s", problem);
    *password = str_of(given != NULL ? given : room);
    return EXIT_DONE;
}

static int run_add(struct invocation *i)
{
    struct new_user u = {
        .login = str_of(i->words[0]),
        .mailbox = invocation_has(i, "mailbox"),
        .relay = invocation_has(i, "relay"),
        .catchall = invocation_has(i, "catchall"),
        .quota = str_of(invocation_value(i, "quota")),
    };
    char typed[SECRET_SIZE];
    int result = get_password(i, i->word_count > 1 ? i->words[1] : NULL, typed, &u.password);

    if (result == EXIT_DONE)
        result = user_add(i, &u);
    explicit_bzero(typed, sizeof typed);
    return result;
}

static int update(struct invocation *i, const struct user_update *u)
{
    struct tables *t;
    struct status s;
    int result = change_open(i, &t);

    if (result != EXIT_DONE)
        return result;
    s = users_update(t, str_of(i->words[0]), u);
    result = change_close(i, &t, &s);
    if (result == EXIT_DONE && u->mailbox != NULL && *u->mailbox)
        note_delivery(i);
    return result;
}

static bool read_yes_or_no(const char *text, bool *yes)
{
    *yes = str_equal_nocase(str_of(text), STR("yes"));
    return *yes || str_equal_nocase(str_of(text), STR("no"));
}

/* Room for the values that a struct user_update points to. */
struct switches {
    bool active, mailbox, relay, catchall;
};

static int read_switches(struct invocation *i, struct switches *to, struct user_update *u)
{
    const struct {
        const char *name;
        bool *value;
        const bool **field;
    } table[] = {
        {"active", &to->active, &u->active},
        {"mailbox", &to->mailbox, &u->mailbox},
        {"relay", &to->relay, &u->relay},
        {"catchall", &to->catchall, &u->catchall},
    };

    for (size_t n = 0; n < sizeof table / sizeof table[0]; n++) {
        const char *text = invocation_value(i, table[n].name);

        if (text == NULL)
            continue;
        if (!read_yes_or_no(text, table[n].value))
            return invocation_fail(i, "\"%s\" is neither yes nor no", text);
        *table[n].field = table[n].value;
    }
    return EXIT_DONE;
}

static bool changes_something(const struct user_update *u)
{
    return u->active != NULL || u->mailbox != NULL || u->relay != NULL || u->catchall != NULL || u->quota.length > 0;
}

static int run_update(struct invocation *i)
{
    const char *given = invocation_value(i, "password");
    struct user_update u = {
        .cram_md5 = keeps_cram_md5(i->conf),
        .quota = str_of(invocation_value(i, "quota")),
        .default_quota = i->conf->users_mailbox_default_quota,
        .home_base = str_of(i->conf->users_home_base),
        .delimiter = i->conf->recipient_delimiter[0],
    };
    char typed[SECRET_SIZE];
    struct str password = {0};
    struct switches switches;
    int result = read_switches(i, &switches, &u);

    if (result != EXIT_DONE)
        return result;
    if (given != NULL || !changes_something(&u)) {
        result = get_password(i, given, typed, &password);
        u.password = &password;
    }
    if (result == EXIT_DONE)
        result = update(i, &u);
    explicit_bzero(typed, sizeof typed);
    return result;
}

static struct status del_user(struct tables *t, struct str login)
{
    return users_del(t, login, NULL);
}

static int run_del(struct invocation *i)
{
    return invocation_has(i, "purge-home") ? user_home_del(i) : change_word(i, del_user);
}

static const char *yes_or_no(bool yes)
{
    return yes ? "yes" : "no";
}

static void print_row(void *context, const struct user_row *r)
{
    struct listing_rows *rows = context;
    struct str home = r->home.length > 0 ? r->home : STR("no");

    rows->count++;
    listing_number(rows->listing, "id", r->id);
    listing_str(rows->listing, "login", r->login);
    listing_bool(rows->listing, "active", r->active);
    listing_bool(rows->listing, "auth_relay", r->relay);
    listing_bool(rows->listing, "have_mailbox", r->mailbox);
    listing_bool(rows->listing, "is_catchall", r->catchall);
    change_list_optional(rows, "mailbox_quota", r->quota);
    change_list_optional(rows, "home", r->home);
    listing_bool(rows->listing, "scram", r->scram);
    listing_bool(rows->listing, "cram_md5", r->cram_md5);
    listing_line(rows->listing,
                 "%.*s - authrelay: %s - have mailbox: %s - home: %.*s - active: %s - catchall: %s - scram: %s - cram-md5: %s",
                 STR_ARG(r->login), yes_or_no(r->relay), yes_or_no(r->mailbox), STR_ARG(home), yes_or_no(r->active), yes_or_no(r->catchall),
                 yes_or_no(r->scram), yes_or_no(r->cram_md5));
    listing_end_row(rows->listing);
}

static struct status list(struct tables *t, struct listing_rows *rows)
{
    return users_list(t, print_row, rows);
}

static int run_list(struct invocation *i)
{
    return change_list(i, list, "There are no users yet.");
}

static const struct command commands[] = {
    {.verb = "add", .words = "LOGIN [PASSWORD]", .words_min = 1, .words_max = 2, .options = add_options, .run = run_add,
     .help = "Add a user.  Without PASSWORD it is read from the terminal, or is the first line of standard input."},
    {.verb = "update", .words = "LOGIN", .words_min = 1, .words_max = 1, .options = update_options, .run = run_update,
     .help = "Change what is said of a user: the password, or what the options name.  Who gets a mailbox gets a home, and the domain"
             " becomes local, as with tmail user add -m."},
    {.verb = "del", .words = "LOGIN", .words_min = 1, .words_max = 1, .options = del_options, .run = run_del,
     .help = "Delete a user and what tmail sender allowed.  The mail of the mailbox stays on disk without --purge-home, which asks first."
             "  It deletes with the rights of TMAIL_USER and says what it could not delete; the domain stays local."},
    {.verb = "list", .listing = true, .options = change_options, .run = run_list,
     .help = "List the users.  Those with scram or cram-md5 can log in by that mechanism; setting a password anew brings what it needs."},
};

const struct command_group user_group = {
    .noun = "user",
    .help = "who may log in, and who has a mailbox",
    .commands = commands,
    .count = sizeof commands / sizeof commands[0],
};

#include "admin/change.h"
#include "admin/groups.h"
#include "admin/user_words.h"
#include "directory/rcpthosts.h"

static struct status add_rcpthost(struct tables *t, struct str domain)
{
    return rcpthosts_add(t, domain, false);
}

static int run_add_rcpthost(struct invocation *i)
{
    return change_word(i, add_rcpthost);
}

static bool read_bool(struct str text, bool *value)
{
    static const char *const words[2][4] = {{"0", "f", "false", "no"}, {"1", "t", "true", "yes"}};

    for (int b = 0; b < 2; b++)
        for (int word = 0; word < 4; word++)
            if (str_equal_nocase(text, str_of(words[b][word]))) {
                *value = b == 1;
                return true;
            }
    return false;
}

static int run_add_user(struct invocation *i)
{
    struct new_user u = {.login = str_of(i->words[0]), .password = str_of(i->words[1]), .relay = true};

    if (i->word_count > 2 && !read_bool(str_of(i->words[2]), &u.relay))
        return invocation_fail(i, "\"%s\" is neither true nor false", i->words[2]);
    return user_add(i, &u);
}

static struct status del_user(struct tables *t, struct str login)
{
    return users_del(t, login, NULL);
}

static int run_del_user(struct invocation *i)
{
    return change_word(i, del_user);
}

static const struct command commands[] = {
    {.verb = "addRcpthost", .words = "DOMAIN", .words_min = 1, .words_max = 1, .options = change_options, .run = run_add_rcpthost,
     .help = "The same as rcpthost add DOMAIN."},
    {.verb = "addUser", .words = "LOGIN PASSWORD [RELAY_ALLOWED]", .words_min = 2, .words_max = 3, .options = change_options,
     .run = run_add_user, .help = "The same as user add -r LOGIN PASSWORD; without -r where RELAY_ALLOWED is false."},
    {.verb = "delUser", .words = "LOGIN", .words_min = 1, .words_max = 1, .options = change_options, .run = run_del_user,
     .help = "The same as user del LOGIN."},
};

const struct command_group smtpd_group = {
    .noun = "smtpd",
    .help = "older words for rcpthost and user",
    .commands = commands,
    .count = sizeof commands / sizeof commands[0],
};

#include "admin/user_home.h"

#include "admin/change.h"
#include "base/tree.h"
#include "directory/mailbox.h"
#include "directory/users.h"

#include <stdio.h>
#include <unistd.h>

static int confirm(const struct invocation *i, const char *login, const char *home)
{
    char line[16];

    if (invocation_has(i, "yes"))
        return EXIT_DONE;
    if (!isatty(STDIN_FILENO)) {
        (void)invocation_fail(i, "nothing was changed: add --yes to delete %s without being asked", home);
        return EXIT_USAGE;
    }
    fprintf(stderr, "The user %s and all mail in %s will be deleted.  Go on? [y/N] ", login, home);
    if (fgets(line, sizeof line, stdin) != NULL && (line[0] == 'y' || line[0] == 'Y'))
        return EXIT_DONE;
    return invocation_fail(i, "nothing was changed");
}

static int purge(const struct invocation *i, const char *login, const char *home, const struct gone_user *gone)
{
    struct buf path = {0}, trouble = {0};
    struct str rest, line;
    int result = EXIT_DONE;

    if (gone->home.length == 0)
        return EXIT_DONE;
    if (!str_equal(buf_str(&gone->home), str_of(home)))
        return invocation_fail(i, "the user is deleted, but the home stays: \"%.*s\" is not %s, which tmail makes of the login",
                               STR_ARG(buf_str(&gone->home)), home);
    mailbox_write_home(str_of(login), &path);
    if (!tree_delete(i->conf->users_home_base, buf_str(&path), &trouble))
        result = invocation_fail(i, "the user is deleted, but not all of the home %s:", home);
    rest = buf_str(&trouble);
    while (str_cut(&rest, '\n', &line))
        if (line.length > 0)
            (void)invocation_fail(i, "  %.*s", STR_ARG(line));
    buf_done(&path);
    buf_done(&trouble);
    return result;
}

static int del(struct invocation *i, const char *login, const char *home)
{
    struct gone_user gone = {.purge = true};
    struct tables *t;
    struct status s;
    int result = confirm(i, login, home);

    if (result == EXIT_DONE)
        result = change_open(i, &t);
    if (result != EXIT_DONE)
        return result;
    s = users_del(t, str_of(login), &gone);
    result = change_close(i, &t, &s);
    if (result == EXIT_DONE)
        result = purge(i, login, home, &gone);
    buf_done(&gone.home);
    return result;
}

int user_home_del(struct invocation *i)
{
    char login[NAME_SIZE];
    struct buf home = {0};
    struct status s;
    int result;

    if (!name_login(str_of(i->words[0]), login))
        return invocation_fail(i, "\"%s\" is no login", i->words[0]);
    s = mailbox_check_login(str_of(login), '\0'); /* an earlier tmail made such */
    if (!status_is_ok(&s))
        return invocation_fail(i, "%s", s.text);
    mailbox_join_home(str_of(i->conf->users_home_base), str_of(login), &home);
    result = del(i, login, buf_text(&home));
    buf_done(&home);
    return result;
}

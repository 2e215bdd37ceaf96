#include "dovecot/userdb.h"

#include "net/stream.h"

#include <stdio.h>
#include <string.h>

enum { LINE_MOST = 8192, LINES_MOST = 100 };

/* Tabs and line ends would be other words, and a login has none. */
static bool can_ask(struct str login)
{
    return login.length > 0 && login.length < LINE_MOST / 2 && !str_has_control(login);
}

static void take_field(struct userdb_user *user, struct str field)
{
    static const struct str home = {"home=", 5}, uid = {"uid=", 4};

    if (str_starts(field, home))
        str_copy(str_from(field, home.length), user->home, sizeof user->home);
    else if (str_starts(field, uid))
        str_copy(str_from(field, uid.length), user->uid, sizeof user->uid);
}

/* False: the line is no answer. */
static bool take_line(struct str line, enum answer *answer, struct userdb_user *user, char *error, size_t error_size)
{
    struct str word, id;

    if (!str_cut(&line, '\t', &word) || !str_cut(&line, '\t', &id) || !str_equal(id, STR("1")))
        return false;
    *answer = ANSWER_FAILED;
    if (str_equal(word, STR("NOTFOUND")))
        *answer = ANSWER_NO;
    else if (str_equal(word, STR("USER")))
        *answer = ANSWER_YES;
    else if (str_equal(word, STR("FAIL")))
        snprintf(error, error_size, "Dovecot could not look it up%s%.*s", line.length > 0 ? ": " : "", STR_ARG(line));
    else
        return false;
    while (str_cut(&line, '\t', &word))
        take_field(user, word);
    return true;
}

static bool read_line(struct stream *s, struct str *line)
{
    size_t end;

    while ((end = str_find(stream_input(s), '\n', 0)) == stream_input(s).length)
        if (!stream_fill(s, LINE_MOST))
            return false;
    *line = str_part(stream_input(s), 0, end);
    stream_consume(s, end + 1);
    return true;
}

static enum answer ask(struct stream *s, struct str login, struct userdb_user *user, char *error, size_t error_size)
{
    enum answer answer = ANSWER_FAILED;
    struct buf question = {0};
    struct str line;

    buf_print(&question, "VERSION\t1\t1\nUSER\t1\t%.*s\tservice=lda\n", STR_ARG(login));
    stream_put(s, buf_str(&question));
    buf_done(&question);
    for (int lines = 0; lines < LINES_MOST; lines++) {
        if (!read_line(s, &line)) {
            snprintf(error, error_size, "%s", stream_fault_text(s));
            return ANSWER_FAILED;
        }
        if (take_line(line, &answer, user, error, error_size))
            return answer;
    }
    snprintf(error, error_size, "Dovecot does not come to an end");
    return ANSWER_FAILED;
}

enum answer userdb_find(const char *path, struct str login, int64_t deadline, struct userdb_user *user, char *error, size_t error_size)
{
    enum answer answer = ANSWER_FAILED;
    struct stream s;

    *user = (struct userdb_user){0};
    snprintf(error, error_size, "that cannot be a login");
    if (!can_ask(login))
        return ANSWER_FAILED;
    if (stream_connect_path(&s, path, deadline))
        answer = ask(&s, login, user, error, error_size);
    else
        snprintf(error, error_size, "%s", stream_fault_text(&s));
    stream_done(&s);
    return answer;
}

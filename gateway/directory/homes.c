#include "directory/homes.h"

#include <limits.h>
#include <sys/stat.h>

/* "/a/b", and "" for the root; what is relative is taken from there, too. */
static void write_plain(struct str path, struct buf *to)
{
    struct str word;

    buf_clear(to);
    while (str_cut(&path, '/', &word)) {
        if (word.length == 0 || str_equal(word, STR(".")))
            continue;
        if (!str_equal(word, STR(".."))) {
            buf_add_byte(to, '/');
            buf_add(to, word);
            continue;
        }
        while (to->length > 0 && to->data[--to->length] != '/')
            ;
    }
}

/* Both plain. */
static bool is_in(struct str path, struct str folder)
{
    return str_starts(path, folder) && (path.length == folder.length || path.data[folder.length] == '/');
}

static bool overlap(struct str a, struct str b)
{
    return is_in(a, b) || is_in(b, a);
}

struct status homes_check_alone(struct tables *t, struct str login, struct str home)
{
    struct db_query *q = tables_query(t, "SELECT login, home FROM users WHERE login <> ?1 AND ifnull(home, '') <> '' ORDER BY login");
    struct buf own = {0}, other = {0};
    struct status s = status_ok();

    if (q == NULL)
        return tables_failed(t);
    db_bind_str(q, 1, login);
    write_plain(home, &own);
    while (status_is_ok(&s) && db_step(q)) {
        write_plain(db_str(q, 1), &other);
        if (overlap(buf_str(&own), buf_str(&other)))
            s = tables_refused("the mail of %.*s would be deleted with it: the home of that user is %.*s", STR_ARG(db_str(q, 0)),
                               STR_ARG(db_str(q, 1)));
    }
    buf_done(&own);
    buf_done(&other);
    return db_finish(q) ? s : tables_failed(t);
}

struct status homes_note_existing(struct str home)
{
    char path[PATH_MAX];
    struct stat facts;

    if (!str_copy(home, path, sizeof path) || stat(path, &facts) != 0 || !S_ISDIR(facts.st_mode))
        return status_ok();
    return status_make(250, "", "the home %s exists already: mail that lies there will be the user's", path);
}

#include "directory/alias_command.h"

#include "base/argv.h"
#include "directory/tables.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

static const char *const folders[] = {"/usr/local/bin", "/usr/bin", "/bin"};

/* A program that somebody may run: as whom it is run, this process need not know. */
static bool is_program(const char *path)
{
    struct stat st;

    if (stat(path, &st) != 0)
        return false;
    errno = S_ISREG(st.st_mode) ? EACCES : EISDIR;
    return S_ISREG(st.st_mode) && (st.st_mode & 0111) != 0;
}

static bool is_in_folders(const char *name)
{
    bool found = false;

    for (size_t i = 0; i < sizeof folders / sizeof folders[0] && !found; i++) {
        struct buf path = {0};

        buf_print(&path, "%s/%s", folders[i], name);
        found = is_program(buf_text(&path));
        buf_done(&path);
    }
    return found;
}

static struct status check_program(const char *name)
{
    if (name[0] == '/')
        return is_program(name) ? status_ok() : tables_refused("%s cannot be run: %s", name, strerror(errno));
    if (strchr(name, '/') != NULL)
        return tables_refused("%s cannot be run: it is neither an absolute path nor the name of a program", name);
    return is_in_folders(name) ? status_ok()
                               : tables_refused("%s cannot be run: there is no such program in /usr/local/bin, /usr/bin or /bin", name);
}

struct status alias_command_check(struct str command)
{
    struct arena arena;
    struct argv argv;
    const char *why;
    struct status s;

    arena_init(&arena);
    if (argv_split(command, &arena, &argv, &why))
        s = check_program(argv.words[0].data);
    else
        s = tables_refused("the command cannot be read: %s", why);
    arena_done(&arena);
    return s;
}

#include "base/tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { DEPTH_MAX = 100 }; /* each level holds a descriptor */

struct deletion {
    struct buf path; /* of what is worked on */
    struct buf *trouble;
    dev_t device; /* that all is on: of the folder that the last name of the path stands in */
    int depth;
};

static bool delete_entry(struct deletion *d, int folder, const char *name);

/* Names of files may hold anything. */
static bool complain_that(struct deletion *d, const char *reason)
{
    size_t start = d->trouble->length;

    buf_print(d->trouble, "%s: %s", buf_text(&d->path), reason);
    for (size_t i = start; i < d->trouble->length; i++)
        if (str_has_control(str_part(buf_str(d->trouble), i, 1)))
            d->trouble->data[i] = '?';
    buf_add_byte(d->trouble, '\n');
    return false;
}

static bool complain(struct deletion *d, int reason)
{
    return complain_that(d, strerror(reason));
}

static size_t enter(struct deletion *d, const char *name)
{
    size_t before = d->path.length;

    buf_print(&d->path, "/%s", name);
    d->depth++;
    return before;
}

static void leave(struct deletion *d, size_t before)
{
    d->path.length = before;
    d->depth--;
}

static bool is_dots(const char *name)
{
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

/* *DELETED: something. */
static bool delete_entries(struct deletion *d, DIR *entries, bool *deleted)
{
    const struct dirent *entry;
    bool ok = true;

    *deleted = false;
    rewinddir(entries);
    while ((entry = readdir(entries)) != NULL) {
        bool gone = is_dots(entry->d_name) || delete_entry(d, dirfd(entries), entry->d_name);

        *deleted = *deleted || (gone && !is_dots(entry->d_name));
        ok = ok && gone;
    }
    return ok;
}

/* A folder is read again as long as that helps: what is deleted while it is read may hide what is not. */
static bool delete_folder(struct deletion *d, int parent, const char *name, DIR *entries)
{
    bool deleted = true;

    while (deleted) {
        if (!delete_entries(d, entries, &deleted))
            return false;
        if (unlinkat(parent, name, AT_REMOVEDIR) == 0 || errno == ENOENT)
            return true;
        if (errno != ENOTEMPTY && errno != EEXIST)
            break;
    }
    return complain(d, errno);
}

static bool delete_opened(struct deletion *d, int parent, const char *name, int fd)
{
    DIR *entries = fdopendir(fd);
    bool ok;

    if (entries == NULL) {
        int reason = errno;

        close(fd);
        return complain(d, reason);
    }
    ok = d->depth <= DEPTH_MAX ? delete_folder(d, parent, name, entries) : complain(d, ELOOP);
    closedir(entries);
    return ok;
}

static int open_folder(int parent, const char *name)
{
    return openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

static bool is_here(struct deletion *d, int fd)
{
    struct stat facts;

    if (fstat(fd, &facts) != 0)
        return complain(d, errno);
    return facts.st_dev == d->device || complain_that(d, "Another file system is mounted here");
}

/* Whatever NAME is.  A folder that cannot be read may be empty. */
static bool delete_named(struct deletion *d, int parent, const char *name)
{
    int fd = open_folder(parent, name), reason = errno;

    if (fd >= 0 && is_here(d, fd))
        return delete_opened(d, parent, name, fd);
    if (fd >= 0) {
        close(fd);
        return false;
    }
    if (reason == ENOENT)
        return true;
    if (unlinkat(parent, name, reason == ENOTDIR || reason == ELOOP ? 0 : AT_REMOVEDIR) == 0 || errno == ENOENT)
        return true;
    return complain(d, reason == ENOTDIR || reason == ELOOP ? errno : reason);
}

/* NOLINTNEXTLINE(misc-no-recursion): as deep as DEPTH_MAX */
static bool delete_entry(struct deletion *d, int folder, const char *name)
{
    size_t before = enter(d, name);
    bool ok = delete_named(d, folder, name);

    leave(d, before);
    return ok;
}

static bool delete_path(struct deletion *d, int parent, struct str path);

static bool delete_inside(struct deletion *d, int parent, const char *name, struct str rest)
{
    int fd = open_folder(parent, name);
    bool ok;

    if (fd < 0)
        return errno == ENOENT || complain(d, errno);
    ok = delete_path(d, fd, rest);
    close(fd);
    if (ok && unlinkat(parent, name, AT_REMOVEDIR) != 0 && errno != ENOTEMPTY && errno != EEXIST && errno != ENOENT &&
        errno != EBUSY) /* something is mounted there */
        (void)complain(d, errno);
    return ok;
}

static bool delete_last(struct deletion *d, int parent, const char *name)
{
    struct stat facts;

    if (fstat(parent, &facts) != 0)
        return complain(d, errno);
    d->device = facts.st_dev;
    return delete_entry(d, parent, name);
}

/* NOLINTNEXTLINE(misc-no-recursion): as deep as the path */
static bool delete_path(struct deletion *d, int parent, struct str path)
{
    char name[NAME_MAX + 1];
    struct str first;
    size_t before;
    bool ok;

    if (!str_cut(&path, '/', &first) || first.length == 0 || !str_copy(first, name, sizeof name) || is_dots(name))
        return complain(d, EINVAL);
    if (path.length == 0)
        return delete_last(d, parent, name);
    before = enter(d, name);
    ok = delete_inside(d, parent, name, path);
    leave(d, before);
    return ok;
}

bool tree_delete(const char *base, struct str path, struct buf *trouble)
{
    struct deletion d = {.trouble = trouble};
    int fd = open(base, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool ok;

    buf_add_text(&d.path, base);
    if (fd >= 0)
        ok = delete_path(&d, fd, path);
    else
        ok = errno == ENOENT || complain(&d, errno);
    if (fd >= 0)
        close(fd);
    buf_done(&d.path);
    return ok;
}

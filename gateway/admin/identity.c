#include "admin/identity.h"

#include "conf/value.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct identity {
    bool changes; /* we are root and become somebody else */
    uid_t uid;
    gid_t gid;
};

static bool is_root(void)
{
    return geteuid() == 0;
}

static bool find_user(const struct conf *c, struct identity *identity, char *error, size_t error_size)
{
    const struct passwd *user;

    *identity = (struct identity){.changes = is_root(), .uid = geteuid(), .gid = getegid()};
    if (!identity->changes)
        return true;
    errno = 0;
    user = getpwnam(c->user);
    if (user == NULL && errno != 0 && errno != ENOENT && errno != ESRCH) {
        snprintf(error, error_size, "TMAIL_USER: the user \"%s\" cannot be looked up: %s", c->user, strerror(errno));
        return false;
    }
    if (user == NULL) {
        snprintf(error, error_size,
                 "TMAIL_USER: no user \"%s\" on this host: create it with \"useradd --system --user-group --home-dir /var/lib/tmail "
                 "--shell /usr/sbin/nologin %s\" or set TMAIL_USER to one that exists",
                 c->user, c->user);
        return false;
    }
    if (user->pw_uid == 0) {
        snprintf(error, error_size, "TMAIL_USER: \"%s\" is root: set TMAIL_USER to a user without its rights", c->user);
        return false;
    }
    identity->uid = user->pw_uid;
    identity->gid = user->pw_gid;
    return true;
}

bool identity_check(const struct conf *c, char *error, size_t error_size)
{
    struct identity unused;

    return find_user(c, &unused, error, error_size);
}

/* Gives FD to the user, if it is what root has just made: the owner of the folder around it may have put something else there. */
static bool hand_over(int fd, const struct identity *identity)
{
    struct stat s;

    if (fstat(fd, &s) != 0)
        return false;
    return s.st_uid != 0 || fchown(fd, identity->uid, identity->gid) == 0;
}

static int make_folder(int parent, const char *name, const struct identity *identity)
{
    bool is_new = mkdirat(parent, name, 0750) == 0;
    int fd, saved;

    if (!is_new && errno != EEXIST)
        return -1;
    fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 || !is_new || !identity->changes || hand_over(fd, identity))
        return fd;
    saved = errno;
    close(fd);
    errno = saved;
    return -1;
}

static int open_or_make(int parent, struct str name, const struct identity *identity)
{
    char copy[256];
    int fd;

    if (!str_copy(name, copy, sizeof copy)) {
        errno = ENAMETOOLONG;
        return -1;
    }
    fd = openat(parent, copy, O_PATH | O_DIRECTORY | O_CLOEXEC);
    return fd >= 0 || errno != ENOENT ? fd : make_folder(parent, copy, identity);
}

/* Walks down PATH, an absolute one, and makes what is missing. */
static bool make_path(struct str path, const struct identity *identity)
{
    int fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    struct str name;

    while (fd >= 0 && str_cut(&path, '/', &name)) {
        int parent = fd, saved;

        if (name.length == 0)
            continue;
        fd = open_or_make(parent, name, identity);
        saved = errno;
        close(parent);
        errno = saved;
    }
    if (fd < 0)
        return false;
    close(fd);
    return true;
}

static struct str folder_of(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash != NULL ? (struct str){path, (size_t)(slash - path)} : STR("");
}

static bool make_folders(const struct conf *c, const struct identity *identity, char *error, size_t error_size)
{
    const struct {
        const char *key;
        struct str path;
    } folders[] = {{"TMAIL_DB_SOURCE", folder_of(c->db_path)}, {"TMAIL_STORE_SOURCE", str_of(c->store_source)}};

    for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++)
        if (!make_path(folders[i].path, identity) && identity->changes) {
            struct buf quoted = {0};
            int saved = errno;

            value_quote(&quoted, folders[i].path);
            snprintf(error, error_size, "%s: the folder %s cannot be made: %s", folders[i].key, buf_text(&quoted), strerror(saved));
            buf_done(&quoted);
            return false;
        }
    return true;
}

bool identity_make_folders(const struct conf *c, char *error, size_t error_size)
{
    struct identity identity;

    return find_user(c, &identity, error, error_size) && make_folders(c, &identity, error, error_size);
}

static bool has_become(const struct identity *identity)
{
    uid_t uid[3];
    gid_t gid[3];

    return getresuid(&uid[0], &uid[1], &uid[2]) == 0 && getresgid(&gid[0], &gid[1], &gid[2]) == 0 && uid[0] == identity->uid &&
           uid[1] == identity->uid && uid[2] == identity->uid && gid[0] == identity->gid && gid[1] == identity->gid &&
           gid[2] == identity->gid && setuid(0) != 0 && setgid(0) != 0;
}

bool identity_become(const struct conf *c, char *error, size_t error_size)
{
    struct identity identity;

    if (!find_user(c, &identity, error, error_size) || !make_folders(c, &identity, error, error_size))
        return false;
    if (!identity.changes)
        return true;
    /* The user's own supplementary groups, as an administrator gave them (usermod -aG), and none of root's. */
    if (initgroups(c->user, identity.gid) != 0 || setresgid(identity.gid, identity.gid, identity.gid) != 0 ||
        setresuid(identity.uid, identity.uid, identity.uid) != 0) {
        snprintf(error, error_size, "TMAIL_USER: cannot become \"%s\": %s", c->user, strerror(errno));
        return false;
    }
    if (!has_become(&identity)) {
        snprintf(error, error_size, "TMAIL_USER: the rights of root could not be given up for those of \"%s\"", c->user);
        return false;
    }
    return true;
}

#include "person.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static bool find_groups(struct person *p, const char *name)
{
    p->group_count = PERSON_GROUPS;
    return getgrouplist(name, p->gid, p->groups, &p->group_count) >= 0;
}

bool person_find(struct person *p, const char *key, const char *name, char error[PERSON_ERROR_SIZE])
{
    const struct passwd *user;

    *p = (struct person){.changes = geteuid() == 0, .uid = geteuid(), .gid = getegid()};
    if (!p->changes)
        return true;
    errno = 0;
    user = getpwnam(name);
    if (user == NULL && errno != 0 && errno != ENOENT && errno != ESRCH) {
        snprintf(error, PERSON_ERROR_SIZE, "%s: the user \"%s\" cannot be looked up: %s", key, name, strerrordesc_np(errno));
        return false;
    }
    if (user == NULL) {
        snprintf(error, PERSON_ERROR_SIZE, "%s: no user \"%s\" on this host: create it, or set %s to one that exists", key, name, key);
        return false;
    }
    if (user->pw_uid == 0) {
        snprintf(error, PERSON_ERROR_SIZE, "%s: \"%s\" is root: set it to a user without its rights", key, name);
        return false;
    }
    p->uid = user->pw_uid;
    p->gid = user->pw_gid;
    if (find_groups(p, name))
        return true;
    snprintf(error, PERSON_ERROR_SIZE, "%s: \"%s\" is in more than %d groups", key, name, PERSON_GROUPS);
    return false;
}

static bool has_become(const struct person *p)
{
    uid_t uid[3];
    gid_t gid[3];

    return getresuid(&uid[0], &uid[1], &uid[2]) == 0 && getresgid(&gid[0], &gid[1], &gid[2]) == 0 && uid[0] == p->uid && uid[1] == p->uid &&
           uid[2] == p->uid && gid[0] == p->gid && gid[1] == p->gid && gid[2] == p->gid && setuid(0) != 0;
}

bool person_become(const struct person *p)
{
    if (!p->changes)
        return true;
    if (p->uid == 0) {
        errno = EPERM;
        return false;
    }
    if (setgroups((size_t)p->group_count, p->groups) != 0 || setresgid(p->gid, p->gid, p->gid) != 0 ||
        setresuid(p->uid, p->uid, p->uid) != 0)
        return false;
    errno = EPERM;
    return has_become(p);
}

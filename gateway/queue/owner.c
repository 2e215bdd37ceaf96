#include "queue/owner.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

enum { NUMBERS = 1 << 20, TRIES = 100 };

static struct flock lock_of(int64_t number, short type)
{
    return (struct flock){.l_type = type, .l_whence = SEEK_SET, .l_start = number, .l_len = 1};
}

/* A random number, so that what a dead deliverer left is not taken for one's own. */
static bool take_number(struct owner *o)
{
    for (int i = 0; i < TRIES; i++) {
        uint32_t random;
        struct flock lock;

        if (getrandom(&random, sizeof random, 0) != sizeof random)
            return false;
        o->number = 1 + random % NUMBERS;
        lock = lock_of(o->number, F_WRLCK);
        if (fcntl(o->fd, F_OFD_SETLK, &lock) == 0)
            return true;
        if (errno != EAGAIN && errno != EACCES)
            return false;
    }
    return false;
}

bool owner_open(struct owner *o, const char *folder, char *error, size_t error_size)
{
    char path[600];

    snprintf(path, sizeof path, "%s/owners", folder);
    o->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (o->fd >= 0 && take_number(o))
        return true;
    snprintf(error, error_size, "%s: %s", path, strerrordesc_np(errno));
    owner_close(o);
    return false;
}

bool owner_look(struct owner *o, const char *folder)
{
    char path[600];

    snprintf(path, sizeof path, "%s/owners", folder);
    o->number = 0;
    o->fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    return o->fd >= 0;
}

void owner_close(struct owner *o)
{
    if (o->fd >= 0)
        close(o->fd);
    o->fd = -1;
}

bool owner_is_alive(const struct owner *o, int64_t number)
{
    struct flock lock = lock_of(number, F_WRLCK);

    /* One's own lock does not stand in one's own way, so it must be asked first; a file that cannot be asked kills nobody. */
    return number == o->number || fcntl(o->fd, F_OFD_GETLK, &lock) < 0 || lock.l_type != F_UNLCK;
}

bool owner_has_company(const struct owner *o)
{
    struct flock all = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 1, .l_len = NUMBERS};

    return fcntl(o->fd, F_OFD_GETLK, &all) == 0 && all.l_type != F_UNLCK;
}

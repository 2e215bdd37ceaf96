/*
 * fault - makes writes and syncs fail, for a program started with LD_PRELOAD.
 *
 * FAULT_SWITCH names a file that holds a struct fault_switch; the test that wrote it changes it while the program runs.
 * Calls on files whose path begins with `prefix` are counted; of those that `calls` names, the one numbered `from` and the
 * `count - 1` after it fail with `error`, or, if that is 0, write only half of what they were given.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { CALL_WRITE = 1, CALL_SYNC = 2, CALL_TRUNCATE = 4 };

struct fault_switch {
    _Atomic int64_t calls, from, count, error; /* calls 0: off */
    _Atomic int64_t seen, hit;
    char prefix[512];
};

static struct fault_switch *fault;

__attribute__((constructor)) static void begin(void)
{
    const char *path = getenv("FAULT_SWITCH");
    int fd = path != NULL ? open(path, O_RDWR | O_CLOEXEC) : -1;
    void *map = fd >= 0 ? mmap(NULL, sizeof *fault, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) : MAP_FAILED;

    if (fd >= 0)
        close(fd);
    fault = map != MAP_FAILED ? map : NULL;
}

static int is_watched(int fd)
{
    char link[64], path[600];
    ssize_t length;

    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    length = readlink(link, path, sizeof path - 1);
    if (length < 0)
        return 0;
    path[length] = '\0';
    return strncmp(path, fault->prefix, strlen(fault->prefix)) == 0;
}

/* Whether this call is to go wrong. */
static int strikes(int call, int fd)
{
    int64_t number;
    int saved = errno, watched;

    if (fault == NULL || (fault->calls & call) == 0)
        return 0;
    watched = is_watched(fd);
    errno = saved;
    if (!watched)
        return 0;
    number = ++fault->seen;
    if (number < fault->from || number >= fault->from + fault->count)
        return 0;
    fault->hit++;
    return 1;
}

static int fail(void)
{
    errno = (int)fault->error;
    return -1;
}

ssize_t write(int fd, const void *data, size_t size)
{
    ssize_t (*real)(int, const void *, size_t) = (ssize_t(*)(int, const void *, size_t))dlsym(RTLD_NEXT, "write");

    if (strikes(CALL_WRITE, fd))
        return fault->error == 0 ? real(fd, data, size / 2) : fail();
    return real(fd, data, size);
}

ssize_t pwrite64(int fd, const void *data, size_t size, off64_t offset)
{
    ssize_t (*real)(int, const void *, size_t, off64_t) = (ssize_t(*)(int, const void *, size_t, off64_t))dlsym(RTLD_NEXT, "pwrite64");

    if (strikes(CALL_WRITE, fd))
        return fault->error == 0 ? real(fd, data, size / 2, offset) : fail();
    return real(fd, data, size, offset);
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t offset)
{
    return pwrite64(fd, data, size, offset);
}

static int sync_by(const char *name, int fd)
{
    int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, name);

    return strikes(CALL_SYNC, fd) ? fail() : real(fd);
}

int fsync(int fd)
{
    return sync_by("fsync", fd);
}

int fdatasync(int fd)
{
    return sync_by("fdatasync", fd);
}

int ftruncate64(int fd, off64_t size)
{
    int (*real)(int, off64_t) = (int (*)(int, off64_t))dlsym(RTLD_NEXT, "ftruncate64");

    return strikes(CALL_TRUNCATE, fd) ? fail() : real(fd, size);
}

int ftruncate(int fd, off_t size)
{
    return ftruncate64(fd, size);
}

#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum { PIECE = 4096 };

bool file_read_fd(int fd, struct buf *to)
{
    for (;;) {
        char piece[PIECE];
        ssize_t got = read(fd, piece, sizeof piece);

        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return got == 0;
        buf_add(to, (struct str){piece, (size_t)got});
        explicit_bzero(piece, (size_t)got); /* it may be a key */
        if (to->full) {
            errno = EFBIG;
            return false;
        }
    }
}

bool file_read(const char *path, struct buf *to)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY), reason;
    bool ok;

    if (fd < 0)
        return false;
    ok = file_read_fd(fd, to);
    reason = errno;
    close(fd);
    errno = reason;
    return ok;
}

bool file_sync_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    struct buf folder = {0};
    int fd;
    bool ok;

    if (slash == NULL)
        buf_add_byte(&folder, '.');
    else
        buf_add(&folder, (struct str){path, slash > path ? (size_t)(slash - path) : 1});
    fd = open(buf_text(&folder), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    ok = fd >= 0 && fsync(fd) == 0;
    if (fd >= 0)
        close(fd);
    buf_done(&folder);
    return ok;
}

void file_raise_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

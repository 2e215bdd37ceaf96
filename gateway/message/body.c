#include "message/body.h"

#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void body_init(struct body *b, const char *tempdir)
{
    *b = (struct body){.tempdir = tempdir, .fd = -1};
}

void body_done(struct body *b)
{
    buf_done(&b->memory);
    if (b->fd >= 0)
        close(b->fd);
    b->fd = -1;
    b->size = 0;
}

/* O_TMPFILE where the file system has it: no name, so nothing to clean up after a crash. */
static int open_scratch(const char *folder)
{
    char path[1024];
    int fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

    if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR))
        return fd;
    if ((size_t)snprintf(path, sizeof path, "%s/tmail-XXXXXX", folder) >= sizeof path) {
        errno = ENAMETOOLONG;
        return -1;
    }
    fd = mkostemp(path, O_CLOEXEC);
    if (fd >= 0)
        unlink(path);
    return fd;
}

static void fail(struct body *b)
{
    int error = errno;

    if (b->error == 0)
        log_message(LOG_LEVEL_ERROR, "scratch", "TMAIL_TEMPDIR %s: %s", b->tempdir, strerrordesc_np(error));
    b->error = error;
}

static void write_all(struct body *b, struct str bytes)
{
    while (b->error == 0 && bytes.length > 0) {
        ssize_t n = write(b->fd, bytes.data, bytes.length);

        if (n > 0)
            bytes = str_from(bytes, (size_t)n);
        else if (n < 0 && errno != EINTR)
            fail(b);
    }
}

static void move_to_file(struct body *b)
{
    b->fd = open_scratch(b->tempdir);
    if (b->fd < 0)
        fail(b);
    write_all(b, buf_str(&b->memory));
    buf_done(&b->memory);
}

void body_append(struct body *b, struct str bytes)
{
    if (b->error != 0)
        return;
    if (b->fd < 0 && b->memory.length + bytes.length > BODY_MEMORY_MAX)
        move_to_file(b);
    if (b->fd >= 0)
        write_all(b, bytes);
    else if (b->error == 0)
        buf_add(&b->memory, bytes);
    b->size += (int64_t)bytes.length;
}

bool body_failed(const struct body *b, struct status *why)
{
    if (b->error == 0)
        return false;
    if (b->error == ENOSPC || b->error == EDQUOT)
        *why = status_make(452, "4.3.1", "Insufficient scratch storage, try again later");
    else
        *why = status_make(451, "4.3.0", "Scratch storage failed, try again later");
    return true;
}

struct str body_in_memory(const struct body *b)
{
    return b->fd < 0 ? buf_str(&b->memory) : STR("");
}

struct str body_piece(struct body *b, int64_t offset, char *scratch)
{
    ssize_t n;

    if (b->fd < 0)
        return str_part(buf_str(&b->memory), (size_t)offset, BODY_PIECE);
    do
        n = pread(b->fd, scratch, BODY_PIECE, offset);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        fail(b);
    return (struct str){scratch, n > 0 ? (size_t)n : 0};
}

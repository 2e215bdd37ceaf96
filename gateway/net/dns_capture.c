#include "net/dns_capture.h"

#include "base/file.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

void dns_capture_begin(struct dns_capture *c)
{
    fflush(stderr);
    c->memory = memfd_create("libunbound", MFD_CLOEXEC);
    c->kept = c->memory < 0 ? -1 : fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
    if (c->kept >= 0)
        dup2(c->memory, STDERR_FILENO);
}

void dns_capture_end(struct dns_capture *c, struct buf *said)
{
    fflush(stderr);
    if (c->kept >= 0) {
        dup2(c->kept, STDERR_FILENO);
        close(c->kept);
        if (lseek(c->memory, 0, SEEK_SET) == 0)
            file_read_fd(c->memory, said);
    }
    if (c->memory >= 0)
        close(c->memory);
    c->kept = c->memory = -1;
}

struct str dns_capture_complaint(struct str said)
{
    const struct str mark = STR("error: ");
    struct str line;

    while (str_cut(&said, '\n', &line))
        for (size_t i = 0; i + mark.length < line.length; i++)
            if (str_starts(str_from(line, i), mark))
                return line.data[0] == '[' ? str_from(line, i + mark.length) : line;
    return (struct str){0};
}

void dns_capture_pass_on(struct str said)
{
    struct str line;

    while (str_cut(&said, '\n', &line))
        if (line.length > 0 && !str_contains(line, STR("] libunbound[")))
            fprintf(stderr, "%.*s\n", STR_ARG(line));
}

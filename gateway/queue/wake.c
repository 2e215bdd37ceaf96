#include "queue/wake.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

/* Open for both directions: then neither side waits for the other, and the FIFO is never at its end. */
void wake_open(struct wake *w, const char *folder)
{
    char path[600];

    snprintf(path, sizeof path, "%s/wake", folder);
    (void)!mkfifo(path, 0600);
    w->fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW);
}

void wake_close(struct wake *w)
{
    if (w->fd >= 0)
        close(w->fd);
    w->fd = -1;
}

void wake_send(struct wake *w)
{
    (void)!write(w->fd, "w", 1);
}

void wake_drain(struct wake *w)
{
    char bytes[512];

    while (read(w->fd, bytes, sizeof bytes) == (ssize_t)sizeof bytes)
        ;
}

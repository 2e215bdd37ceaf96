#include "net/listener.h"

#include <errno.h>
#include <unistd.h>

enum { BACKLOG = 1024 };

int listener_bind(const struct address *address)
{
    struct sockaddr_storage socket_address;
    socklen_t length = address_to_socket(address, &socket_address);
    const int yes = 1;
    int fd = socket(address->family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (address->family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &yes, sizeof yes);
    if (bind(fd, (struct sockaddr *)&socket_address, length) < 0 || listen(fd, BACKLOG) < 0) {
        int saved = errno;

        close(fd);
        errno = saved;
        return -1;
    }
    return fd;
}

int listener_accept(int fd, struct address *peer)
{
    struct sockaddr_storage s;
    socklen_t length = sizeof s;
    int connection = accept4(fd, (struct sockaddr *)&s, &length, SOCK_CLOEXEC | SOCK_NONBLOCK);

    if (connection >= 0)
        address_from_socket(peer, &s);
    return connection;
}

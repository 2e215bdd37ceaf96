#include "net/resolve.h"

#include <netdb.h>
#include <string.h>

static void copy(const struct addrinfo *list, int port, struct address *to, size_t *count)
{
    for (*count = 0; list != NULL && *count < RESOLVE_MOST; list = list->ai_next) {
        struct sockaddr_storage s = {0};

        memcpy(&s, list->ai_addr, list->ai_addrlen < sizeof s ? list->ai_addrlen : sizeof s);
        address_from_socket(&to[*count], &s);
        to[*count].port = (uint16_t)port;
        *count += to[*count].family != AF_UNSPEC;
    }
}

struct status resolve(const char *host, int port, struct address *to, size_t *count)
{
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM}, *list = NULL;
    int error;

    if (address_parse(to, str_of(host))) {
        to->port = (uint16_t)port;
        *count = 1;
        return status_ok();
    }
    error = getaddrinfo(host, NULL, &hints, &list);
    if (error != 0)
        return status_make(451, "4.4.3", "Cannot find the address of %s: %s", host, gai_strerror(error));
    copy(list, port, to, count);
    freeaddrinfo(list);
    return *count > 0 ? status_ok() : status_make(451, "4.4.4", "%s has no address", host);
}

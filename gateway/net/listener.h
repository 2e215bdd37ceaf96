/*
 * listener - a TCP socket that takes connections.
 *
 * The parent binds it, children inherit and accept on it, old and new ones at the same time during a reload.  listener_bind does not block;
 * listener_accept takes one connection if there is one.
 */
#ifndef NET_LISTENER_H
#define NET_LISTENER_H

#include "net/address.h"

/* A bound, listening, non-blocking, close-on-exec socket; -1 with errno set. */
int listener_bind(const struct address *address);
/* A connected non-blocking socket and its PEER; -1 with errno set (EAGAIN: nobody waits). */
int listener_accept(int fd, struct address *peer);

#endif

/*
 * clients - how many sessions each client address has open.
 *
 * What one client is says address_client.  Any thread may call; nothing blocks but a short lock.
 */
#ifndef SMTPD_CLIENTS_H
#define SMTPD_CLIENTS_H

#include "net/address.h"

struct clients;

struct clients *clients_new(void);
/* Counts one more session of A and returns how many it has now. */
int clients_enter(struct clients *c, const struct address *a);
void clients_leave(struct clients *c, const struct address *a);
/* Sessions of all clients. */
int clients_total(struct clients *c);
/* Waits until no session is left; false when DEADLINE (clock_now) passed first. */
bool clients_wait_empty(struct clients *c, int64_t deadline);

#endif

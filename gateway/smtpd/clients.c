#include "smtpd/clients.h"

#include "base/memory.h"
#include "base/thread.h"

#include <string.h>

enum { BUCKETS = 4096 };

struct client {
    struct client *next;
    unsigned char key[16];
    int sessions;
};

struct clients {
    struct lock lock;
    struct signal empty;
    int total;
    struct client *buckets[BUCKETS];
};

struct clients *clients_new(void)
{
    struct clients *c = memory_new(sizeof *c);

    lock_init(&c->lock);
    signal_init(&c->empty);
    return c;
}

/* Addresses that an enemy picks can share a bucket, but then each costs a socket that counts against the total. */
static struct client **place_of(struct clients *c, const unsigned char key[16])
{
    struct client **place = &c->buckets[str_hash((struct str){(const char *)key, 16}) % BUCKETS];

    while (*place != NULL && memcmp((*place)->key, key, 16) != 0)
        place = &(*place)->next;
    return place;
}

int clients_enter(struct clients *c, const struct address *a)
{
    unsigned char key[16];
    struct client **place;
    int sessions;

    address_client(a, key);
    lock_take(&c->lock);
    place = place_of(c, key);
    if (*place == NULL) {
        *place = memory_new(sizeof **place);
        memcpy((*place)->key, key, 16);
    }
    sessions = ++(*place)->sessions;
    c->total++;
    lock_release(&c->lock);
    return sessions;
}

void clients_leave(struct clients *c, const struct address *a)
{
    unsigned char key[16];
    struct client **place;

    address_client(a, key);
    lock_take(&c->lock);
    place = place_of(c, key);
    if (*place != NULL && --(*place)->sessions == 0) {
        struct client *gone = *place;

        *place = gone->next;
        memory_free(&gone);
    }
    if (--c->total == 0)
        signal_all(&c->empty);
    lock_release(&c->lock);
}

int clients_total(struct clients *c)
{
    int total;

    lock_take(&c->lock);
    total = c->total;
    lock_release(&c->lock);
    return total;
}

bool clients_wait_empty(struct clients *c, int64_t deadline)
{
    bool in_time = true;

    lock_take(&c->lock);
    while (c->total > 0 && in_time)
        in_time = signal_wait(&c->empty, &c->lock, deadline);
    lock_release(&c->lock);
    return in_time;
}

#include "deliverd/hosts.h"

#include "base/clock.h"
#include "base/memory.h"
#include "base/thread.h"

#include <string.h>

enum { SLOTS = 1024, WAYS = 4, KEY_SIZE = 36 };

struct entry {
    unsigned char key[KEY_SIZE];
    int64_t until; /* clock_now; 0: free */
    int64_t died;  /* clock_wall */
    struct status why;
};

struct hosts {
    struct lock lock;
    int64_t remember;
    struct entry entries[SLOTS][WAYS];
};

struct hosts *hosts_new(int64_t remember_ms)
{
    struct hosts *h = memory_new(sizeof *h);

    lock_init(&h->lock);
    h->remember = remember_ms;
    return h;
}

static void make_key(const struct host *host, unsigned char key[KEY_SIZE])
{
    memset(key, 0, KEY_SIZE);
    address_bytes16(host->address, key);
    if (host->local != NULL)
        address_bytes16(host->local, key + 16);
    memcpy(key + 32, &host->address->port, sizeof host->address->port);
}

static struct entry *slot_of(struct hosts *h, const unsigned char key[KEY_SIZE])
{
    return h->entries[str_hash((struct str){(const char *)key, KEY_SIZE}) % SLOTS];
}

static struct entry *find(struct hosts *h, const unsigned char key[KEY_SIZE])
{
    struct entry *slot = slot_of(h, key);

    for (int i = 0; i < WAYS; i++)
        if (slot[i].until > clock_now() && memcmp(slot[i].key, key, KEY_SIZE) == 0)
            return &slot[i];
    return NULL;
}

void hosts_mark_dead(struct hosts *h, const struct host *host, const struct status *why)
{
    unsigned char key[KEY_SIZE];
    struct entry *entry;

    make_key(host, key);
    lock_take(&h->lock);
    entry = find(h, key);
    if (entry == NULL) {
        struct entry *slot = slot_of(h, key);

        entry = slot;
        for (int i = 1; i < WAYS; i++)
            if (slot[i].until < entry->until)
                entry = &slot[i];
    }
    memcpy(entry->key, key, KEY_SIZE);
    entry->until = clock_now() + h->remember;
    entry->died = clock_wall();
    entry->why = *why;
    lock_release(&h->lock);
}

void hosts_mark_alive(struct hosts *h, const struct host *host)
{
    unsigned char key[KEY_SIZE];
    struct entry *entry;

    make_key(host, key);
    lock_take(&h->lock);
    entry = find(h, key);
    if (entry != NULL)
        entry->until = 0;
    lock_release(&h->lock);
}

bool hosts_is_dead(struct hosts *h, const struct host *host, int64_t flushed, struct status *why)
{
    unsigned char key[KEY_SIZE];
    const struct entry *entry;
    bool dead;

    make_key(host, key);
    lock_take(&h->lock);
    entry = find(h, key);
    dead = entry != NULL && entry->died >= flushed;
    if (dead)
        *why = entry->why;
    lock_release(&h->lock);
    return dead;
}

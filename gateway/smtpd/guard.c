#include "smtpd/guard.h"

#include "base/clock.h"
#include "base/crypto.h"
#include "base/memory.h"
#include "base/thread.h"

#include <string.h>

enum { SLOTS = 2048, WAYS = 4, KEY_SIZE = CRYPTO_SHA256, DOUBLES_EVERY = 4, DOUBLES_MOST = 4 };

struct entry {
    unsigned char key[KEY_SIZE];
    int64_t failures;
    int64_t last; /* clock_now */
};

struct guard {
    struct lock lock;
    int64_t most, lock_ms, delay_ms;
    unsigned char secret[CRYPTO_KEY]; /* who picks a login does not pick its slot */
    struct entry entries[SLOTS][WAYS];
};

struct guard *guard_new(int64_t most, int64_t lock_ms, int64_t delay_ms)
{
    struct guard *g = memory_new(sizeof *g);

    lock_init(&g->lock);
    g->most = most;
    g->lock_ms = lock_ms;
    g->delay_ms = delay_ms;
    crypto_random(g->secret, sizeof g->secret);
    return g;
}

static void make_key(const struct guard *g, struct str name, unsigned char key[KEY_SIZE])
{
    crypto_hmac_sha256((struct str){(const char *)g->secret, sizeof g->secret}, name, key);
}

static void client_key(const struct guard *g, const struct address *client, unsigned char key[KEY_SIZE])
{
    unsigned char bytes[16];

    address_client(client, bytes);
    make_key(g, (struct str){(const char *)bytes, sizeof bytes}, key);
}

static struct entry *slot_of(struct guard *g, const unsigned char key[KEY_SIZE])
{
    return g->entries[(key[0] | (size_t)key[1] << 8) % SLOTS];
}

static struct entry *find(struct guard *g, const unsigned char key[KEY_SIZE])
{
    struct entry *slot = slot_of(g, key);

    for (int i = 0; i < WAYS; i++)
        if (slot[i].failures > 0 && clock_now() - slot[i].last < g->lock_ms && memcmp(slot[i].key, key, KEY_SIZE) == 0)
            return &slot[i];
    return NULL;
}

static struct entry *make(struct guard *g, const unsigned char key[KEY_SIZE])
{
    struct entry *slot = slot_of(g, key), *oldest = slot;

    for (int i = 1; i < WAYS; i++)
        if (slot[i].last < oldest->last)
            oldest = &slot[i];
    *oldest = (struct entry){0};
    memcpy(oldest->key, key, KEY_SIZE);
    return oldest;
}

static int64_t count(struct guard *g, const unsigned char key[KEY_SIZE])
{
    struct entry *entry = find(g, key);

    if (entry == NULL)
        entry = make(g, key);
    entry->last = clock_now();
    return ++entry->failures;
}

int64_t guard_locked(struct guard *g, const struct address *client)
{
    unsigned char key[KEY_SIZE];
    const struct entry *entry;
    int64_t left = 0;

    if (g->most == 0)
        return 0;
    client_key(g, client, key);
    lock_take(&g->lock);
    entry = find(g, key);
    if (entry != NULL && entry->failures >= g->most)
        left = entry->last + g->lock_ms - clock_now();
    lock_release(&g->lock);
    return left > 0 ? left : 0;
}

static int64_t delay_after(const struct guard *g, int64_t failures)
{
    int64_t doubles = (failures - 1) / DOUBLES_EVERY;

    return g->delay_ms << (doubles < DOUBLES_MOST ? doubles : DOUBLES_MOST);
}

struct guard_count guard_failed(struct guard *g, const struct address *client, struct str login)
{
    unsigned char of_client[KEY_SIZE], of_login[KEY_SIZE];
    struct guard_count c;

    client_key(g, client, of_client);
    make_key(g, login, of_login);
    lock_take(&g->lock);
    c.of_client = count(g, of_client);
    c.of_login = login.length > 0 ? count(g, of_login) : 0;
    lock_release(&g->lock);
    c.delay = delay_after(g, c.of_client > c.of_login ? c.of_client : c.of_login);
    c.locked = g->most > 0 && c.of_client == g->most;
    return c;
}

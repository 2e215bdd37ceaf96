#include "deliverd/hop_logins.h"

#include "base/clock.h"
#include "base/crypto.h"
#include "base/memory.h"
#include "base/stop.h"
#include "base/thread.h"

#include <string.h>

/* A login that worked is believed for so long; how often those who wait look whether the process stops. */
enum { ENTRIES = 256, BELIEVED_MS = 600000, LOOK_MS = 500 };

enum state { FREE, TRIED, WORKS, FAILED };

struct entry {
    enum state state;
    unsigned char key[CRYPTO_SHA256];
    int64_t since; /* clock_now */
    int64_t failed; /* clock_wall */
    struct status why;
};

struct hop_logins {
    struct lock lock;
    struct signal settled;
    int64_t remember;
    struct entry entries[ENTRIES];
};

struct hop_logins *hop_logins_new(int64_t remember_ms)
{
    struct hop_logins *l = memory_new(sizeof *l);

    lock_init(&l->lock);
    signal_init(&l->settled);
    l->remember = remember_ms;
    return l;
}

/* What an entry says is over; one that is being tried never is, but whoever waits for it does not wait for ever. */
static bool is_over(const struct hop_logins *l, const struct entry *e)
{
    int64_t age = clock_now() - e->since;

    return e->state == FREE || (e->state == WORKS && age >= BELIEVED_MS) || (e->state == FAILED && age >= l->remember);
}

static struct entry *find(struct hop_logins *l, const unsigned char key[CRYPTO_SHA256])
{
    for (size_t i = 0; i < ENTRIES; i++)
        if (l->entries[i].state != FREE && memcmp(l->entries[i].key, key, CRYPTO_SHA256) == 0)
            return &l->entries[i];
    return NULL;
}

static struct entry *make(struct hop_logins *l, const unsigned char key[CRYPTO_SHA256])
{
    struct entry *oldest = NULL;

    for (size_t i = 0; i < ENTRIES; i++) {
        struct entry *e = &l->entries[i];

        if (e->state == FREE || oldest == NULL || (oldest->state != FREE && e->since < oldest->since))
            oldest = e;
        if (e->state == FREE)
            break;
    }
    *oldest = (struct entry){.state = FREE};
    memcpy(oldest->key, key, CRYPTO_SHA256);
    return oldest;
}

/* Waits while somebody tries; false when it is still so at the end. */
static bool wait_settled(struct hop_logins *l, const unsigned char key[CRYPTO_SHA256])
{
    int64_t end = clock_now() + LOGINS_TRIED_WAIT_MS;
    const struct entry *e;

    while ((e = find(l, key)) != NULL && e->state == TRIED && clock_now() < end && !stop_seen())
        (void)signal_wait(&l->settled, &l->lock, clock_earlier(end, clock_now() + LOOK_MS));
    return e == NULL || e->state != TRIED;
}

static bool has_failed(const struct hop_logins *l, const struct entry *e, int64_t flushed, struct status *why)
{
    if (e == NULL || e->state != FAILED || is_over(l, e) || e->failed < flushed)
        return false;
    *why = e->why;
    return true;
}

static enum hop_turn take_turn(struct hop_logins *l, const unsigned char key[CRYPTO_SHA256], int64_t flushed, struct status *why)
{
    bool settled = wait_settled(l, key);
    struct entry *e = find(l, key);

    if (!settled) {
        *why = stop_seen() ? status_make(451, "4.3.2", "Stopping, the login was not tried")
                           : status_make(454, "4.7.8", "The login at this host is being tried for another message");
        return HOP_TURN_NONE;
    }
    if (has_failed(l, e, flushed, why))
        return HOP_TURN_NONE;
    if (e != NULL && e->state == WORKS && !is_over(l, e))
        return HOP_TURN_FREE;
    if (e == NULL)
        e = make(l, key);
    e->state = TRIED;
    e->since = clock_now();
    return HOP_TURN_MINE;
}

bool hop_logins_have_failed(struct hop_logins *l, struct str key, int64_t flushed, struct status *why)
{
    unsigned char digest[CRYPTO_SHA256];
    bool failed;

    crypto_sha256(key, digest);
    lock_take(&l->lock);
    failed = has_failed(l, find(l, digest), flushed, why);
    lock_release(&l->lock);
    return failed;
}

enum hop_turn hop_logins_enter(struct hop_logins *l, struct str key, int64_t flushed, struct status *why)
{
    unsigned char digest[CRYPTO_SHA256];
    enum hop_turn turn;

    crypto_sha256(key, digest);
    lock_take(&l->lock);
    turn = take_turn(l, digest, flushed, why);
    lock_release(&l->lock);
    return turn;
}

static void settle(struct hop_logins *l, const unsigned char key[CRYPTO_SHA256], enum hop_turn turn, enum hop_login outcome, const struct status *why)
{
    struct entry *e = find(l, key);

    if (outcome == HOP_LOGIN_UNTRIED) {
        if (turn == HOP_TURN_MINE && e != NULL && e->state == TRIED)
            e->state = FREE;
        return;
    }
    if (e == NULL)
        e = make(l, key);
    e->state = outcome == HOP_LOGIN_WORKS ? WORKS : FAILED;
    e->since = clock_now();
    e->failed = clock_wall();
    if (outcome == HOP_LOGIN_FAILED)
        e->why = *why;
}

void hop_logins_leave(struct hop_logins *l, struct str key, enum hop_turn turn, enum hop_login outcome, const struct status *why)
{
    unsigned char digest[CRYPTO_SHA256];

    crypto_sha256(key, digest);
    lock_take(&l->lock);
    settle(l, digest, turn, outcome, why);
    signal_all(&l->settled);
    lock_release(&l->lock);
}

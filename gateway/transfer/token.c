#include "transfer/token.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/thread.h"
#include "transfer/token_fetch.h"

#include <string.h>

struct entry {
    char *name;
    struct token_state state;
    struct token_unstored unstored; /* the fetching thread's */
    bool fetching;
    int users; /* calls that have it in hand */
    int64_t asked_at;
    int64_t failed_at; /* clock_wall */
};

struct tokens {
    struct token_source source;
    struct lock lock;
    struct signal changed;
    struct entry *entries[TOKEN_NAMES_MAX];
    size_t count;
};

struct tokens *tokens_new(const char *db_path, struct secrets *secrets, const char *ca_file, struct dns *dns)
{
    struct tokens *t = memory_new(sizeof *t);

    t->source = (struct token_source){.db_path = db_path, .secrets = secrets, .ca_file = ca_file, .dns = dns};
    lock_init(&t->lock);
    signal_init(&t->changed);
    return t;
}

static void entry_free(struct entry *e)
{
    token_state_done(&e->state);
    token_unstored_done(&e->unstored);
    memory_free(&e->name);
    memory_free(&e);
}

void tokens_free(struct tokens **t)
{
    if (*t == NULL)
        return;
    for (size_t i = 0; i < (*t)->count; i++)
        entry_free((*t)->entries[i]);
    signal_done(&(*t)->changed);
    lock_done(&(*t)->lock);
    memory_free(t);
}

static struct entry *find(const struct tokens *t, const char *name)
{
    for (size_t i = 0; i < t->count; i++)
        if (strcmp(t->entries[i]->name, name) == 0)
            return t->entries[i];
    return NULL;
}

static bool can_go(const struct entry *e)
{
    return e->users == 0 && e->unstored.given.length == 0;
}

/* The place of the entry that was not asked for the longest; t->count when all are in use. */
static size_t oldest(const struct tokens *t)
{
    size_t best = t->count;

    for (size_t i = 0; i < t->count; i++)
        if (can_go(t->entries[i]) && (best == t->count || t->entries[i]->asked_at < t->entries[best]->asked_at))
            best = i;
    return best;
}

static bool make_room(struct tokens *t)
{
    size_t gone;

    if (t->count < TOKEN_NAMES_MAX)
        return true;
    gone = oldest(t);
    if (gone == t->count)
        return false;
    entry_free(t->entries[gone]);
    t->entries[gone] = t->entries[--t->count];
    return true;
}

static struct entry *find_or_make(struct tokens *t, const char *name)
{
    struct entry *e = find(t, name);

    if (e != NULL || !make_room(t))
        return e;
    e = memory_new(sizeof *e);
    e->name = memory_string(name);
    t->entries[t->count++] = e;
    return e;
}

static void warn(const struct entry *e, const char *event, int64_t left_ms, const struct status *s)
{
    struct log_line line;

    log_begin(&line, LOG_LEVEL_WARNING, event);
    log_text(&line, "client", e->name);
    if (left_ms > 0)
        log_number(&line, "left_s", left_ms / 1000);
    log_status(&line, s);
    log_end(&line);
}

static void warn_refused(const struct entry *e, const struct status *s)
{
    struct log_line line;

    log_begin(&line, LOG_LEVEL_WARNING, "token-refused");
    log_text(&line, "client", e->name);
    log_text(&line, "advice", "get a new refresh token and store it with `tmail oauth update`");
    log_status(&line, s);
    log_end(&line);
}

static void note_failure(struct entry *e, const struct status *s, int64_t now)
{
    token_state_failed(&e->state, s, now);
    e->failed_at = clock_wall();
}

/* The lock is taken before and after, and not while the network is waited for. */
static struct status fetch(struct tokens *t, struct entry *e, int64_t deadline)
{
    struct token_answer answer;
    const char *event;
    struct status s;
    int64_t now, left;
    bool asked;

    e->fetching = true;
    lock_release(&t->lock);
    s = token_fetch(&t->source, e->name, &e->unstored, deadline, &answer, &asked);
    lock_take(&t->lock);
    now = clock_now();
    if (status_is_ok(&s))
        token_state_fetched(&e->state, buf_str(&answer.access_token), answer.life_s, now);
    else if (asked)
        note_failure(e, &s, now);
    event = token_state_event(&e->state, now);
    left = token_state_is_good(&e->state, now) ? e->state.expires_at - now : 0;
    e->fetching = false;
    signal_all(&t->changed);
    lock_release(&t->lock);
    if (!status_is_ok(&s))
        warn(e, event, left, &s);
    if (answer.refused)
        warn_refused(e, &s);
    token_answer_done(&answer);
    lock_take(&t->lock);
    return s;
}

static struct status hand_out(const struct entry *e, struct buf *to)
{
    buf_add(to, buf_str(&e->state.token));
    return status_ok();
}

static struct status get(struct tokens *t, struct entry *e, int64_t deadline, struct buf *to)
{
    for (;;) {
        int64_t now = clock_now();
        enum token_step step = token_state_next(&e->state, now);

        if (step == TOKEN_FAIL)
            return e->state.failure;
        if (step == TOKEN_USE || (e->fetching && token_state_is_good(&e->state, now)))
            return hand_out(e, to);
        if (!e->fetching) {
            struct status s = fetch(t, e, deadline);

            return token_state_is_good(&e->state, clock_now()) ? hand_out(e, to) : s;
        }
        if (!signal_wait(&t->changed, &t->lock, deadline))
            return status_make(454, "4.7.0", "OAuth client %s: its token is still being fetched", e->name);
    }
}

struct status tokens_get(struct tokens *t, const char *name, int64_t flushed, struct buf *to)
{
    int64_t now = clock_now();
    struct status s;
    struct entry *e;

    lock_take(&t->lock);
    e = find_or_make(t, name);
    if (e == NULL) {
        s = status_make(454, "4.7.0", "OAuth client %s: the tokens of %d other clients are being fetched", name, TOKEN_NAMES_MAX);
    } else {
        e->asked_at = now;
        if (flushed > e->failed_at)
            token_state_ask_again(&e->state, now);
        e->users++;
        s = get(t, e, now + TOKEN_TIMEOUT_MS, to);
        e->users--;
    }
    lock_release(&t->lock);
    return s;
}

void tokens_refuse(struct tokens *t, const char *name, struct str token)
{
    struct status s = status_make(454, "4.7.0", "OAuth client %s: the next hop refuses its tokens", name);
    struct entry *e;

    lock_take(&t->lock);
    e = find(t, name);
    if (e != NULL)
        e->failed_at = clock_wall();
    if (e != NULL)
        token_state_refuse(&e->state, token, &s, clock_now());
    lock_release(&t->lock);
}

#include "queue/stats.h"

#include "base/clock.h"
#include "base/memory.h"
#include "queue/shape.h"

#include <stdlib.h>
#include <string.h>

enum { SLOTS_FIRST = 1024, MINUTE_MS = 60000 };

const int stats_minutes[STATS_AGES - 1] = {5, 10, 20, 40, 80, 160, 320, 640, 1280};

/* Where the name is, or would be. */
static void **slot_of(const struct stats_table *t, struct str text, uint32_t hash)
{
    size_t at = hash & (t->size - 1);

    for (const struct stats_name *name; (name = t->slots[at]) != NULL; at = (at + 1) & (t->size - 1))
        if (name->hash == hash && str_equal(name->text, text))
            break;
    return &t->slots[at];
}

static void grow(struct stats_table *t)
{
    struct stats_table larger = *t;

    larger.size = t->size > 0 ? 2 * t->size : SLOTS_FIRST;
    larger.slots = memory_new(larger.size * sizeof *larger.slots);
    for (size_t i = 0; i < t->size; i++) {
        struct stats_name *name = t->slots[i];

        if (name != NULL)
            *slot_of(&larger, name->text, name->hash) = name;
    }
    memory_free(&t->slots);
    *t = larger;
}

/* The entry of that name, of SIZE zeroed bytes when it is new; NULL when there is room for no more. */
static void *entry_of(struct stats_table *t, struct str text, size_t size, struct arena *arena)
{
    uint32_t hash = str_hash(text);
    void **slot;

    if (2 * t->count >= t->size)
        grow(t);
    slot = slot_of(t, text, hash);
    if (*slot == NULL && t->count < t->most) {
        *slot = arena_new(arena, size);
        *(struct stats_name *)*slot = (struct stats_name){arena_str(arena, text), hash};
        t->count++;
    }
    return *slot;
}

/* Makes the slots a list in the order of COMPARE. */
static void sort(struct stats_table *t, int (*compare)(const void *, const void *))
{
    size_t to = 0;

    for (size_t i = 0; i < t->size; i++)
        if (t->slots[i] != NULL)
            t->slots[to++] = t->slots[i];
    if (to > 0)
        qsort(t->slots, to, sizeof *t->slots, compare);
}

static int by_name(const struct stats_name *a, const struct stats_name *b)
{
    size_t length = a->text.length < b->text.length ? a->text.length : b->text.length;
    int order = length > 0 ? memcmp(a->text.data, b->text.data, length) : 0;

    return order != 0 ? order : (a->text.length > b->text.length) - (a->text.length < b->text.length);
}

static int by_destination(const void *left, const void *right)
{
    const struct stats_destination *a = *(void *const *)left, *b = *(void *const *)right;

    return a->recipients != b->recipients ? (a->recipients < b->recipients ? 1 : -1) : by_name(&a->domain, &b->domain);
}

static int by_reason(const void *left, const void *right)
{
    const struct stats_reason *a = *(void *const *)left, *b = *(void *const *)right;

    return a->recipients != b->recipients ? (a->recipients < b->recipients ? 1 : -1) : by_name(&a->shape, &b->shape);
}

static int by_host(const void *left, const void *right)
{
    const struct stats_host *a = left, *b = right;

    return (a->recipients < b->recipients) - (a->recipients > b->recipients);
}

enum { COLUMN_STATE, COLUMN_MESSAGE, COLUMN_DUE, COLUMN_DOMAIN, COLUMN_CODE, COLUMN_ENHANCED, COLUMN_REASON, COLUMN_HOST };
static const char rows_sql[] = "SELECT state, message, due, domain, code, enhanced, reason, host FROM recipient";

static int age_of(int64_t born, int64_t now)
{
    int age = 0;

    while (age < STATS_AGES - 1 && now - born >= (int64_t)stats_minutes[age] * MINUTE_MS)
        age++;
    return age;
}

static void count_destination(struct stats_destination *d, int64_t born, int64_t due, int age)
{
    d->recipients++;
    d->ages[age]++;
    if (d->oldest == 0 || born < d->oldest)
        d->oldest = born;
    if (due > 0 && (d->next == 0 || due < d->next))
        d->next = due;
}

static void count_host(struct stats_reason *r, struct str host, struct arena *arena)
{
    size_t at = 0;

    if (host.length == 0)
        return;
    while (at < r->host_count && !str_equal(r->hosts[at].name, host))
        at++;
    if (at == STATS_HOSTS_MAX) {
        r->other_hosts++;
        return;
    }
    if (at == r->host_count)
        r->hosts[r->host_count++].name = arena_str(arena, host);
    r->hosts[at].recipients++;
}

static void count_reason(struct stats *s, struct db_query *row, struct buf *shape)
{
    struct str enhanced = db_str(row, COLUMN_ENHANCED);
    struct stats_reason *reason;
    size_t start;

    buf_clear(shape);
    if (!db_is_null(row, COLUMN_CODE)) {
        buf_add_number(shape, db_int(row, COLUMN_CODE));
        buf_add_byte(shape, ' ');
    }
    buf_add(shape, enhanced);
    buf_add(shape, enhanced.length > 0 ? STR(" ") : STR(""));
    start = shape->length;
    shape_add(shape, db_str(row, COLUMN_REASON));
    reason = entry_of(&s->reasons, buf_str(shape), sizeof *reason, &s->arena);
    if (reason == NULL) {
        s->reasons.others++;
        return;
    }
    if (reason->recipients++ == 0) {
        reason->text = str_from(reason->shape.text, start);
        reason->code = (int)db_int(row, COLUMN_CODE);
        reason->enhanced = arena_str(&s->arena, enhanced);
    }
    count_host(reason, db_str(row, COLUMN_HOST), &s->arena);
}

static void count_row(struct stats *s, struct db_query *row, int64_t now, struct buf *shape)
{
    int64_t state = db_int(row, COLUMN_STATE), born = db_int(row, COLUMN_MESSAGE) >> 21;
    int64_t due = state == RECIPIENT_SCHEDULED ? db_int(row, COLUMN_DUE) : 0;
    struct stats_destination *destination;
    int age = age_of(born, now);

    if (state < RECIPIENT_SCHEDULED || state > RECIPIENT_DISCARDED)
        return;
    s->states[state]++;
    if (state > RECIPIENT_HELD)
        return;
    count_destination(&s->all, born, due, age);
    destination = entry_of(&s->destinations, db_str(row, COLUMN_DOMAIN), sizeof *destination, &s->arena);
    if (destination != NULL)
        count_destination(destination, born, due, age);
    else
        s->destinations.others++;
    if (s->all.recipients % s->every == 0 && !db_is_null(row, COLUMN_REASON)) {
        s->sampled++;
        count_reason(s, row, shape);
    }
}

static bool choose_sample(struct stats *s, struct db *db, int64_t sample)
{
    struct db_query *query = db_prepare(db, "SELECT count(*) FROM recipient");

    s->every = 1;
    if (query != NULL && db_step(query) && db_int(query, 0) > sample)
        s->every = (db_int(query, 0) + sample - 1) / sample;
    return query != NULL && db_finish(query);
}

bool stats_read(struct stats *s, struct db *db, int64_t now, int64_t sample)
{
    struct db_query *rows = db_prepare(db, rows_sql);
    struct buf shape = {0};
    bool ok;

    *s = (struct stats){.destinations = {.most = STATS_DESTINATIONS_MAX}, .reasons = {.most = STATS_REASONS_MAX}};
    if (rows == NULL || !choose_sample(s, db, sample))
        return false;
    while (db_step(rows))
        count_row(s, rows, now, &shape);
    ok = db_finish(rows);
    buf_done(&shape);
    sort(&s->destinations, by_destination);
    sort(&s->reasons, by_reason);
    for (size_t i = 0; i < s->reasons.count; i++) {
        struct stats_reason *reason = s->reasons.slots[i];

        qsort(reason->hosts, reason->host_count, sizeof reason->hosts[0], by_host);
    }
    return ok;
}

void stats_done(struct stats *s)
{
    memory_free(&s->destinations.slots);
    memory_free(&s->reasons.slots);
    arena_done(&s->arena);
}

const struct stats_destination *stats_destination(const struct stats *s, size_t place)
{
    return s->destinations.slots[place];
}

const struct stats_reason *stats_reason(const struct stats *s, size_t place)
{
    return s->reasons.slots[place];
}

#include "deliverd/turns.h"

#include "base/memory.h"

void turns_init(struct turns *t, struct turns_table *table)
{
    *t = (struct turns){.table = table};
    t->last = &t->first;
}

static struct flow **place_of(const struct turns *t, int64_t number)
{
    const uintptr_t key[] = {(uintptr_t)t, (uintptr_t)number};
    struct flow **place = &t->table->buckets[str_hash((struct str){(const char *)key, sizeof key}) % TURNS_BUCKETS];

    while (*place != NULL && !((*place)->turns == t && (*place)->number == number))
        place = &(*place)->next_in_table;
    return place;
}

const struct flow *turns_find(const struct turns *t, int64_t flow)
{
    return *place_of(t, flow);
}

static struct flow *find(struct turns *t, int64_t number)
{
    struct flow **place = place_of(t, number);

    if (*place == NULL) {
        *place = memory_new(sizeof **place);
        (*place)->turns = t;
        (*place)->number = number;
        (*place)->last = &(*place)->first;
        t->flows++;
    }
    return *place;
}

static void drop_if_unused(struct turns *t, struct flow *f)
{
    if (f->waiting > 0 || f->reserved > 0)
        return;
    *place_of(t, f->number) = f->next_in_table;
    t->flows--;
    memory_free(&f);
}

static void join_ring(struct turns *t, struct flow *f)
{
    f->next = NULL;
    *t->last = f;
    t->last = &f->next;
}

static struct flow *leave_ring(struct turns *t)
{
    struct flow *f = t->first;

    t->first = f->next;
    if (t->first == NULL)
        t->last = &t->first;
    return f;
}

void turns_reserve(struct turns *t, int64_t flow)
{
    find(t, flow)->reserved++;
    t->reserved++;
}

void turns_give_up(struct turns *t, int64_t flow)
{
    struct flow *f = find(t, flow);

    f->reserved--;
    t->reserved--;
    drop_if_unused(t, f);
}

void turns_add(struct turns *t, struct job *job)
{
    struct flow *f = find(t, job->flow);

    job->next = NULL;
    *f->last = job;
    f->last = &job->next;
    if (f->waiting++ == 0)
        join_ring(t, f);
    f->recipients += job->count;
    f->reserved--;
    t->reserved--;
    t->waiting++;
}

struct job *turns_take(struct turns *t)
{
    struct flow *f;
    struct job *job;

    if (t->first == NULL)
        return NULL;
    f = leave_ring(t);
    job = f->first;
    f->first = job->next;
    if (f->first == NULL)
        f->last = &f->first;
    f->recipients -= job->count;
    t->waiting--;
    if (--f->waiting > 0)
        join_ring(t, f);
    drop_if_unused(t, f);
    return job;
}

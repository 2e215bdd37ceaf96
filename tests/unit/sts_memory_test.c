#include "test.h"

#include "route/sts_memory.h"

#include <stdio.h>
#include <stdlib.h>

enum { NOW = 5000000, UNIX_NOW = 1000 };

static struct sts_memory memory;
static struct arena arena;

static struct sts_held held_of(struct str text, int64_t expires)
{
    return (struct sts_held){.counts = true, .id = "id1", .text = text, .fetched = UNIX_NOW, .expires = expires};
}

static void done(void)
{
    sts_memory_done(&memory);
    arena_done(&arena);
    check_number(memory.bytes, 0);
}

static struct sts_entry *make(int number, int64_t now)
{
    char domain[32];

    snprintf(domain, sizeof domain, "d%d.example", number);
    return sts_memory_make(&memory, domain, now);
}

static bool is_there(int number)
{
    char domain[32];

    snprintf(domain, sizeof domain, "d%d.example", number);
    return sts_memory_find(&memory, domain) != NULL;
}

static void what_is_kept_is_handed_out_until_it_is_over(void)
{
    const struct sts_held h = held_of(STR("text"), UNIX_NOW + 100);
    struct sts_entry *e = make(1, NOW);
    struct sts_held got;

    arena_init(&arena);
    check(!sts_memory_take(e, NOW, UNIX_NOW, &arena, &got));
    sts_memory_keep(&memory, e, &h, NOW);
    check(sts_memory_take(e, NOW + STS_REMEMBERED_MS - 1, UNIX_NOW + 99, &arena, &got));
    check(got.counts);
    check_text(got.id, "id1");
    check_str(got.text, STR("text"));
    check(got.text.data != e->kept.text.data);
    check_number(got.expires, UNIX_NOW + 100);
    check(!sts_memory_take(e, NOW + STS_REMEMBERED_MS, UNIX_NOW, &arena, &got));
    check(!sts_memory_take(e, NOW, UNIX_NOW + 100, &arena, &got));
    done();
}

static void a_failure_is_remembered_and_a_success_ends_it(void)
{
    const struct sts_held h = held_of(STR("text"), UNIX_NOW + 100);
    struct sts_entry *e = make(1, NOW);
    struct sts_held got;

    arena_init(&arena);
    sts_memory_keep(&memory, e, &h, NOW);
    sts_memory_fail(e, STS_WEBPKI, "why", NOW);
    check_number(e->trouble, STS_WEBPKI);
    check_text(e->reason, "why");
    check_number(e->quiet_until, NOW + STS_REMEMBERED_MS);
    check(sts_memory_take(e, NOW, UNIX_NOW, &arena, &got));
    sts_memory_keep(&memory, e, &h, NOW + 1);
    check(e->quiet_until <= NOW + 1);
    done();
}

static void the_oldest_entry_goes(void)
{
    struct sts_entry *first = make(0, NOW);

    arena_init(&arena);
    for (int i = 1; i < STS_ENTRIES; i++)
        check(make(i, NOW + i) != NULL);
    check(make(0, NOW + STS_ENTRIES) == first);
    check(make(STS_ENTRIES, NOW + STS_ENTRIES) != NULL);
    check_number(memory.count, STS_ENTRIES);
    check(is_there(0) && !is_there(1) && is_there(2) && is_there(STS_ENTRIES));
    sts_memory_find(&memory, "d2.example")->users++;
    check(make(STS_ENTRIES + 1, NOW + STS_ENTRIES) != NULL);
    check(is_there(2) && !is_there(3));
    done();
}

static void what_is_in_use_stays(void)
{
    arena_init(&arena);
    for (int i = 0; i < STS_ENTRIES; i++)
        make(i, NOW)->users++;
    check(make(STS_ENTRIES, NOW) == NULL);
    check(make(7, NOW) != NULL);
    memory.entries[8]->users--;
    check(make(STS_ENTRIES, NOW) != NULL);
    check(is_there(7) && is_there(STS_ENTRIES));
    done();
}

static void bytes_are_bounded(void)
{
    const size_t large = 64 << 10;
    char *text = calloc(1, large);
    const struct sts_held h = held_of((struct str){text, large}, UNIX_NOW + 100), small = held_of(STR("x"), UNIX_NOW + 100);
    const int most = (int)(STS_BYTES_MOST / large);

    arena_init(&arena);
    for (int i = 0; i < most + 10; i++) {
        struct sts_entry *e = make(i, NOW + i);

        e->users++;
        sts_memory_keep(&memory, e, &h, NOW);
        sts_memory_keep(&memory, e, &h, NOW);
        e->users--;
        check(memory.bytes <= STS_BYTES_MOST);
    }
    check_number(memory.count, most);
    check(!is_there(9) && is_there(10));
    sts_memory_keep(&memory, sts_memory_find(&memory, "d20.example"), &small, NOW);
    check_number(memory.bytes, STS_BYTES_MOST - large + 1);
    done();
    free(text);
}

static const struct test_case cases[] = {
    TEST_CASE(what_is_kept_is_handed_out_until_it_is_over), TEST_CASE(a_failure_is_remembered_and_a_success_ends_it),
    TEST_CASE(the_oldest_entry_goes),                       TEST_CASE(what_is_in_use_stays),
    TEST_CASE(bytes_are_bounded),
};

int main(int argc, char **argv)
{
    return test_main(cases, TEST_COUNT(cases), argc, argv);
}

#include "test.h"

#include "base/clock.h"
#include "base/thread.h"
#include "message/id.h"

#include <stdlib.h>

static void texts_and_back(void)
{
    static const int64_t ids[] = {1, 0x0123456789abcdef, INT64_MAX, 0x10};
    char text[QUEUE_ID_SIZE];
    int64_t back;

    for (size_t i = 0; i < TEST_COUNT(ids); i++) {
        queue_id_text(ids[i], text);
        check_number(strlen(text), 16);
        check(queue_id_parse(str_of(text), &back));
        check_number(back, ids[i]);
    }
    queue_id_text(0x0123456789abcdef, text);
    check_text(text, "0123456789abcdef");
    check(queue_id_parse(STR("0123456789ABCDEF"), &back));
    check_number(back, 0x0123456789abcdef);
}

static void nonsense_is_no_id(void)
{
    static const struct str bad[] = {{"", 0}, {"0", 1}, {"0000000000000000", 16}, {"8000000000000000", 16}, {"ffffffffffffffff", 16}, {"000000000000001", 15},
                                     {"00000000000000001", 17}, {"000000000000000g", 16}, {"00000000000000 1", 16}, {" 000000000000001", 16}, {"-000000000000001", 16},
                                     {"0x00000000000001", 16}, {"00000000000000\0001", 16}, {"000000000000001\n", 16}, {"000000000000000:", 16}, {"000000000000000/", 16},
                                     {"000000000000000@", 16}, {"000000000000000`", 16}};

    for (size_t i = 0; i < TEST_COUNT(bad); i++) {
        int64_t id;

        if (!check(!queue_id_parse(bad[i], &id)))
            printf("#   row %zu\n", i);
    }
}

enum { EACH = 20000, THREADS = 4 };
static int64_t made[THREADS][EACH];
static struct lock done_lock;
static struct signal done_signal;
static int done;

static void make_many(void *argument)
{
    int64_t *to = argument;

    for (int i = 0; i < EACH; i++)
        to[i] = queue_id_new();
    lock_take(&done_lock);
    done++;
    signal_all(&done_signal);
    lock_release(&done_lock);
}

static int compare(const void *a, const void *b)
{
    const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return (x > y) - (x < y);
}

static void ids_grow_and_never_come_twice(void)
{
    bool grow = true, once = true;

    lock_init(&done_lock);
    signal_init(&done_signal);
    for (int i = 0; i < THREADS; i++)
        check(thread_start(make_many, made[i]));
    lock_take(&done_lock);
    while (done < THREADS && signal_wait(&done_signal, &done_lock, clock_now() + 30000))
        ;
    lock_release(&done_lock);
    check_number(done, THREADS);
    for (int t = 0; t < THREADS; t++)
        for (int i = 0; i < EACH; i++)
            grow = grow && made[t][i] > (i > 0 ? made[t][i - 1] : 0);
    check(grow);
    qsort(made, (size_t)THREADS * EACH, sizeof made[0][0], compare);
    for (size_t i = 1; i < (size_t)THREADS * EACH; i++)
        once = once && (&made[0][0])[i] != (&made[0][0])[i - 1];
    check(once);
    signal_done(&done_signal);
    lock_done(&done_lock);
}

/* The documented cut: 42 bits of milliseconds on top. */
static void ids_tell_the_time(void)
{
    int64_t before = clock_wall(), id;

    id = queue_id_new();
    check(id >> 21 >= before - 1000 && id >> 21 <= clock_wall() + 1000);
}

static void session_ids_are_not_guessed(void)
{
    static char ids[1000][SESSION_ID_SIZE];

    for (size_t i = 0; i < TEST_COUNT(ids); i++) {
        session_id_new(ids[i]);
        check_number(strlen(ids[i]), 16);
        check_number(strspn(ids[i], "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"), 16);
        for (size_t k = 0; k < i; k++)
            check(strcmp(ids[i], ids[k]) != 0);
    }
}

static const struct test_case cases[] = {
    TEST_CASE(texts_and_back),
    TEST_CASE(nonsense_is_no_id),
    TEST_CASE(ids_tell_the_time),
    TEST_CASE(ids_grow_and_never_come_twice),
    TEST_CASE(session_ids_are_not_guessed),
};

int main(int argc, char **argv)
{
    return test_main(cases, TEST_COUNT(cases), argc, argv);
}

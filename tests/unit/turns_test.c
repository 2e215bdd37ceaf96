#include "test.h"

#include "deliverd/turns.h"

static struct turns_table table;

enum { JOBS = 20 };

static struct job jobs[JOBS];

/* Job I is of the flow that the I-th letter of FLOWS names. */
static void add(struct turns *t, const char *flows)
{
    for (int i = 0; flows[i] != '\0'; i++) {
        jobs[i] = (struct job){.flow = flows[i], .count = 2};
        turns_reserve(t, flows[i]);
        turns_add(t, &jobs[i]);
    }
}

static const char *take(struct turns *t, int count)
{
    static char order[JOBS + 1];
    struct job *last[128] = {NULL};
    int length = 0;

    while (length < count) {
        struct job *job = turns_take(t);

        if (job == NULL)
            break;
        check(last[job->flow] < job); /* within a flow in order */
        last[job->flow] = job;
        order[length++] = (char)job->flow;
    }
    order[length] = '\0';
    return order;
}

static void flows_take_turns(void)
{
    static const char *const cases[][2] = {
        {"", ""}, {"a", "a"}, {"aaa", "aaa"}, {"aaaab", "abaaa"}, {"aaabbc", "abcaba"},
        {"abab", "abab"}, {"aaaaabbbbbccccc", "abcabcabcabcabc"},
    };

    for (size_t i = 0; i < TEST_COUNT(cases); i++) {
        struct turns t;

        turns_init(&t, &table);
        add(&t, cases[i][0]);
        check_number(t.waiting, strlen(cases[i][0]));
        check_text(take(&t, JOBS), cases[i][1]);
        check(turns_take(&t) == NULL);
        check_number(t.waiting, 0);
        check_number(t.flows, 0);
    }
}

/* Who comes late is behind one job of each other, not behind all. */
static void who_comes_late_waits_for_a_round(void)
{
    struct job late = {.flow = 'z', .count = 1};
    struct turns t;

    turns_init(&t, &table);
    add(&t, "aaaaaabbbbbb");
    check_text(take(&t, 3), "aba");
    turns_reserve(&t, 'z');
    turns_add(&t, &late);
    check_text(take(&t, JOBS), "bazbababab");
}

static void what_a_flow_has_is_counted(void)
{
    struct turns t, other;

    turns_init(&t, &table);
    turns_init(&other, &table);
    check(turns_find(&t, 'a') == NULL);
    add(&t, "aab");
    turns_reserve(&t, 'a');
    turns_reserve(&t, -7);
    turns_reserve(&other, 'a');
    check_number(turns_find(&t, 'a')->waiting, 2);
    check_number(turns_find(&t, 'a')->reserved, 1);
    check_number(turns_find(&t, 'a')->recipients, 4);
    check_number(turns_find(&other, 'a')->waiting, 0);
    check_number(t.flows, 3);
    check_number(t.waiting, 3);
    check_number(t.reserved, 2);
    turns_give_up(&t, -7);
    check(turns_find(&t, -7) == NULL);
    check_text(take(&t, JOBS), "aba");
    check_number(turns_find(&t, 'a')->recipients, 0);
    turns_give_up(&t, 'a');
    turns_give_up(&other, 'a');
    check(turns_find(&t, 'a') == NULL && turns_find(&other, 'a') == NULL);
    check_number(t.flows, 0);
}

/* More hops than the table has buckets. */
static void hops_do_not_mix(void)
{
    enum { HOPS = 2 * TURNS_BUCKETS };
    static struct turns hops[HOPS];
    int wrong = 0;

    for (int i = 0; i < HOPS; i++) {
        turns_init(&hops[i], &table);
        for (int64_t flow = 0; flow < 3; flow++)
            turns_reserve(&hops[i], flow);
    }
    for (int i = 0; i < HOPS; i++) {
        wrong += hops[i].flows != 3;
        wrong += turns_find(&hops[i], 1)->reserved != 1;
        turns_give_up(&hops[i], 1);
        wrong += turns_find(&hops[i], 1) != NULL || turns_find(&hops[i], 2)->reserved != 1;
        turns_give_up(&hops[i], 0);
        turns_give_up(&hops[i], 2);
        wrong += hops[i].flows != 0;
    }
    check_number(wrong, 0);
}

static const struct test_case cases[] = {
    TEST_CASE(flows_take_turns),
    TEST_CASE(who_comes_late_waits_for_a_round),
    TEST_CASE(what_a_flow_has_is_counted),
    TEST_CASE(hops_do_not_mix),
};

int main(int argc, char **argv)
{
    return test_main(cases, TEST_COUNT(cases), argc, argv);
}

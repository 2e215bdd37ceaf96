#include "test.h"

#include "base/memory.h"
#include "deliverd/rates.h"

#include <stdlib.h>

enum { SECOND = 1000, MINUTE = 60000, HOUR = 3600000 };

/* ---- a directory of one row for each kind, which counts how often it is asked ---- */

static struct {
    struct rate rates[2]; /* by kind */
    bool has[2], fails;
    struct str names[2]; /* empty: all names */
    int asked;
} world;

static enum answer limit(void *self, const struct limit_question *q, struct rate *rate)
{
    (void)self;
    world.asked++;
    *rate = (struct rate){0};
    if (world.fails)
        return ANSWER_FAILED;
    if (!world.has[q->kind] || (world.names[q->kind].length > 0 && !str_equal(q->name, world.names[q->kind])))
        return ANSWER_NO;
    *rate = world.rates[q->kind];
    return ANSWER_YES;
}

static struct conf conf;
static const struct directory directory = {.limit = limit};
static struct rates *rates;
static int64_t flushed;

static void setup(const char *hop, const char *domain)
{
    memset(&world, 0, sizeof world);
    conf.deliverd_destination_rate = hop;
    conf.deliverd_domain_rate = domain;
    flushed = 0;
    rates = rates_new(&conf, &directory);
}

static void teardown(void)
{
    rates_free(&rates);
}

static void set_row(enum limit_kind kind, int64_t count, int64_t ms)
{
    world.has[kind] = true;
    world.rates[kind] = (struct rate){count, ms};
}

static bool take_of(const char *host, int port, const char *domain, int64_t now, int64_t *until)
{
    struct rates_wait wait = {0};
    bool taken = rates_take(rates, &(struct rates_way){host, port, str_of(domain), flushed}, now, &wait);

    if (until != NULL)
        *until = wait.until;
    if (!taken && wait.until <= now)
        check(wait.until > now);
    return taken;
}

static bool take(int64_t now)
{
    return take_of("hop.example", 25, "example.com", now, NULL);
}

/* ---- how many go ---- */

/* The most that go in a unit, wherever it starts, of COUNT times in order. */
static size_t most_in(const int64_t *times, size_t count, int64_t unit)
{
    size_t most = 0;

    for (size_t first = 0, last = 0; last < count; last++) {
        while (times[last] - times[first] >= unit)
            first++;
        most = last - first + 1 > most ? last - first + 1 : most;
    }
    return most;
}

static const struct rate each_rate[] = {
    {1, SECOND}, {2, SECOND}, {3, SECOND}, {7, SECOND}, {10, SECOND}, {49, SECOND}, {50, SECOND}, {99, SECOND}, {333, SECOND},
    {1000, SECOND}, {4321, SECOND}, {1, MINUTE}, {2, MINUTE}, {59, MINUTE}, {60, MINUTE}, {100, MINUTE}, {1000, MINUTE}, {77777, MINUTE},
    {1, HOUR}, {10, HOUR}, {1000, HOUR}, {100000, HOUR},
};

static int64_t min(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static const char *text_of(const struct rate *r)
{
    static char text[RATE_TEXT_SIZE];

    rate_text(r, text);
    return text;
}

/* As many as may go are asked for at each of some times, between which NEXT says how long it is. */
static void drive(const struct rate *rate, int64_t (*next)(int64_t step), bool must_reach)
{
    const size_t wanted = (size_t)min(5 * rate->count, 20000) + 3;
    int64_t *times = memory_new(wanted * sizeof *times), now = 1000000;
    size_t count = 0;

    setup(text_of(rate), "");
    for (int64_t step = 0; count < wanted; step++) {
        while (count < wanted && take(now))
            times[count++] = now;
        now += next(step);
    }
    if (!check((int64_t)most_in(times, count, rate->ms) <= rate->count))
        printf("#   %s: %zu\n", text_of(rate), most_in(times, count, rate->ms));
    /* What they take that come as soon as they may: the spacings between them, less the slack, and what a turn is late by. */
    if (must_reach) {
        int64_t least = (rate->ms + RATES_SLACK_MS) * (int64_t)(count - 1) / rate->count - RATES_SLACK_MS;

        if (!check(times[count - 1] - times[0] <= least + RATES_SLACK_MS + 5))
            printf("#   %s: %zu in %" PRId64 " and not %" PRId64 "\n", text_of(rate), count, times[count - 1] - times[0], least);
    }
    memory_free(&times);
    teardown();
}

static int64_t pace; /* at most a tenth of the spacing, so that slow rates are not asked for all day */

static int64_t each_time(int64_t step)
{
    return step >= 0 ? pace : 0;
}

static int64_t in_turns(int64_t step)
{
    return pace + step % 5 * pace;
}

static int64_t at_random(int64_t step)
{
    return step % 7 == 0 ? pace * (rand() % 300) : rand() % 3 * pace;
}

static void no_unit_sees_more_than_its_number(void)
{
    for (size_t i = 0; i < TEST_COUNT(each_rate); i++) {
        pace = each_rate[i].ms / each_rate[i].count / 100 + 1;
        drive(&each_rate[i], each_time, pace < 5);
        drive(&each_rate[i], in_turns, pace == 1);
        drive(&each_rate[i], at_random, false);
    }
}

/* Idle time saves nothing up. */
static void there_is_no_burst_after_a_pause(void)
{
    setup("10/second", "");
    check(take(0));
    check(!take(0) && !take(63));
    check(take(64)); /* 104 ms apart, and 40 early */
    check(!take(167));
    check(take(168));
    check(take(100000));
    check(!take(100000) && !take(100063));
    check(take(100064));
    teardown();
}

/* A turn every 30 ms gets what a turn every millisecond does. */
static void slow_turns_reach_fast_rates(void)
{
    static const int64_t fast[] = {40, 100, 500, 1000, 5000};

    for (size_t i = 0; i < TEST_COUNT(fast); i++) {
        char text[RATE_TEXT_SIZE];
        int64_t count = 0;

        snprintf(text, sizeof text, "%" PRId64 "/second", fast[i]);
        setup(text, "");
        for (int64_t now = 0; now < 60 * SECOND; now += 30)
            while (count <= 60 * fast[i] && take(now))
                count++;
        check(count <= 60 * fast[i]);
        if (!check(count >= 60 * fast[i] * 95 / 100))
            printf("#   %" PRId64 " of %" PRId64 "\n", count, 60 * fast[i]);
        teardown();
    }
}

/* ---- a backlog, each of whose messages comes again when it was told to ---- */

struct waiting {
    int64_t *due; /* a heap */
    size_t count;
};

static void push(struct waiting *w, int64_t due)
{
    size_t at = w->count++;

    for (; at > 0 && w->due[(at - 1) / 2] > due; at = (at - 1) / 2)
        w->due[at] = w->due[(at - 1) / 2];
    w->due[at] = due;
}

static int64_t pop(struct waiting *w)
{
    int64_t first = w->due[0], last = w->due[--w->count];
    size_t at = 0, child;

    for (; (child = 2 * at + 1) < w->count; at = child) {
        if (child + 1 < w->count && w->due[child + 1] < w->due[child])
            child++;
        if (w->due[child] >= last)
            break;
        w->due[at] = w->due[child];
    }
    w->due[at] = last;
    return first;
}

/* BACKLOG messages wait from the start, and are asked for in turns of 3 ms.  FLUSH_AT: then all of them are due. */
static void drain(const struct rate *rate, size_t backlog, int64_t flush_at, int asks_most)
{
    struct waiting w = {.due = memory_new(backlog * sizeof(int64_t))};
    int64_t *times = memory_new(backlog * sizeof *times), now = 0, ideal;
    size_t count = 0;
    long asks = 0;

    setup(text_of(rate), "");
    for (size_t i = 0; i < backlog; i++)
        push(&w, 0);
    while (w.count > 0) {
        int64_t due = pop(&w), until;

        if (flush_at > 0 && due > flush_at) {
            for (size_t i = 0; i < w.count; i++)
                w.due[i] = flush_at;
            due = flushed = flush_at;
            flush_at = 0;
        }
        now = due > now ? (due + 2) / 3 * 3 : now;
        asks++;
        if (take_of("hop.example", 25, "example.com", now, &until))
            times[count++] = now;
        else
            push(&w, until);
    }
    ideal = (rate->ms + RATES_SLACK_MS) * (int64_t)(backlog - 1) / rate->count;
    check((int64_t)most_in(times, count, rate->ms) <= rate->count);
    /* No place in time is left unused, but some at the end, when few are left to come for them. */
    if (!check(times[backlog * 9 / 10] <= ideal))
        printf("#   %s, %zu: %" PRId64 " of %" PRId64 "\n", text_of(rate), backlog, times[backlog * 9 / 10], ideal * 9 / 10);
    if (!check(asks <= (long)backlog * asks_most))
        printf("#   %s, %zu: %ld asks\n", text_of(rate), backlog, asks);
    if (getenv("RATES_FIGURES") != NULL)
        printf("#   %s, %zu: 90 %% after %.3f of the least, all after %.3f, %.2f asks a message\n", text_of(rate), backlog,
               (double)times[backlog * 9 / 10] / ((double)ideal * 9 / 10), (double)times[backlog - 1] / (double)ideal,
               (double)asks / (double)backlog);
    memory_free(&times);
    memory_free(&w.due);
    teardown();
}

static void a_backlog_gets_its_rate(void)
{
    static const struct {
        struct rate rate;
        size_t backlog;
        int asks;
    } table[] = {
        {{10, SECOND}, 1000, 4}, {{10, SECOND}, 5000, 4}, {{1000, SECOND}, 50000, 4}, {{1, SECOND}, 500, 5}, {{100, MINUTE}, 900, 5},
        {{10, MINUTE}, 60, 8},
        /* More than ten minutes of it. */
        {{10, SECOND}, 30000, 9}, {{60, MINUTE}, 2000, 6}, {{100, HOUR}, 100, 12}, {{10, HOUR}, 40, 40},
    };

    for (size_t i = 0; i < TEST_COUNT(table); i++)
        drain(&table[i].rate, table[i].backlog, 0, table[i].asks);
}

/* The places of before would stand empty: a new line begins. */
static void a_flush_leaves_no_gap(void)
{
    drain(&(struct rate){10, SECOND}, 3000, 20 * SECOND, 6);
    drain(&(struct rate){100, MINUTE}, 600, MINUTE, 6);
}

static void they_come_back_spread(void)
{
    int64_t until, latest = 0, before = 0, most = 0;
    int in_second[1000] = {0};

    setup("10/second", "");
    check(take(0));
    for (int i = 0; i < 2000; i++) {
        check(!take_of("hop.example", 25, "example.com", 0, &until));
        latest = until > latest ? until : latest;
        before += until < 104;
        if (check(until / SECOND < 1000))
            in_second[until / SECOND]++;
    }
    check_number(before, 0);
    for (int i = 0; i < 1000; i++)
        most = in_second[i] > most ? in_second[i] : most;
    /* About 20 a second: who stands in line, and as many others, more of them at the start. */
    check(latest > 80 * SECOND && latest < 130 * SECOND);
    check(most < 120);
    /* Nobody waits for longer than ten minutes behind the first place. */
    for (int i = 0; i < 30000; i++)
        if (!take_of("hop.example", 25, "example.com", 0, &until))
            latest = until > latest ? until : latest;
    check(latest > RATES_LINE_MS / 2 && latest <= RATES_LINE_MS + 105);
    teardown();
}

/* ---- hops and domains ---- */

static void both_or_neither_are_counted(void)
{
    struct rates_wait wait;

    setup("10/second", "1/minute");
    check(take_of("a.example", 25, "x.example", 0, NULL));
    /* The hop is free again, the domain is not: that costs the hop nothing. */
    check(!rates_take(rates, &(struct rates_way){.host = "a.example", .port = 25, .domain = STR("x.example")}, 1000, &wait));
    check_number(wait.why.code, 451);
    check_text(wait.why.text, "held back: the limit of the domain x.example is 1/minute");
    check(wait.until >= MINUTE);
    check(take_of("a.example", 25, "y.example", 1000, NULL));
    /* And the other way round. */
    check(!rates_take(rates, &(struct rates_way){.host = "a.example", .port = 25, .domain = STR("z.example")}, 1010, &wait));
    check_text(wait.why.text, "held back: the limit of the next hop a.example is 10/second");
    check(wait.why.subject == 4 && wait.why.detail == 5);
    check(take_of("b.example", 25, "z.example", 1010, NULL));
    teardown();
}

static void hops_ports_and_domains_are_counted_for_themselves(void)
{
    setup("1/hour", "");
    check(take_of("a.example", 25, "x.example", 0, NULL) && !take_of("a.example", 25, "x.example", 0, NULL));
    check(take_of("b.example", 25, "x.example", 0, NULL) && !take_of("b.example", 25, "x.example", 0, NULL));
    check(take_of("a.example", 26, "x.example", 0, NULL) && !take_of("a.example", 26, "y.example", 0, NULL));
    teardown();
    setup("", "1/hour");
    check(take_of("a.example", 25, "x.example", 0, NULL) && !take_of("b.example", 26, "x.example", 0, NULL));
    check(take_of("x.example", 25, "a.example", 0, NULL)); /* a hop's name is no domain's */
    teardown();
    setup("1/hour", "1/hour");
    check(take_of("x.example", 25, "x.example", 0, NULL));
    /* A further domain in a job asks for itself. */
    check(take_of(NULL, 0, "y.example", 0, NULL));
    check(!take_of(NULL, 0, "x.example", 0, NULL) && !take_of("b.example", 25, "y.example", 0, NULL));
    teardown();
}

static void what_does_not_start_is_given_back(void)
{
    const struct rates_way way = {.host = "hop.example", .port = 25, .domain = STR("example.com")};

    setup("1/hour", "1/hour");
    rates_give_back(rates, &way); /* nothing there */
    check(take(0) && !take(0));
    rates_give_back(rates, &way);
    check(take(0) && !take(0));
    check(!take(HOUR - 1) && take(HOUR) && !take(HOUR));
    rates_give_back(rates, &way);
    check(take(HOUR + 1) && !take(2 * HOUR));
    teardown();
    /* Many of a turn. */
    setup("1000/second", "");
    for (int i = 0; i < 20; i++)
        check(take(0));
    for (int i = 0; i < 20; i++)
        rates_give_back(rates, &way);
    for (int i = 0; i < 39; i++)
        check(take(1));
    check(!take(1));
    teardown();
    setup("1000/second", "");
    for (int i = 0; i < 20; i++)
        check(take(0));
    rates_give_back(rates, &way);
    for (int i = 0; i < 20; i++)
        check(take(0));
    check(!take(0));
    teardown();
}

/* ---- where rates come from ---- */

static void rows_come_before_the_configuration(void)
{
    int64_t until;

    setup("1/hour", "1/hour");
    set_row(LIMIT_HOP, 0, 0);
    set_row(LIMIT_DOMAIN, 0, 0);
    world.names[LIMIT_HOP] = STR("free.example");
    world.names[LIMIT_DOMAIN] = STR("free.example");
    for (int i = 0; i < 1000; i++)
        check(take_of("free.example", 25, "free.example", 0, &until));
    check(take(0) && !take(0));
    teardown();
    setup("", "");
    for (int i = 0; i < 1000; i++)
        check(take(0));
    teardown();
}

static void the_directory_is_asked_once_a_second(void)
{
    setup("", "1/hour");
    for (int64_t now = 0; now < 1000; now++)
        take(now);
    check_number(world.asked, 2);
    take(1000);
    check_number(world.asked, 4);
    teardown();
}

/* Who changes a limit and flushes at once is not told of the old one. */
static void a_flush_asks_the_directory(void)
{
    setup("", "");
    set_row(LIMIT_HOP, 1, HOUR);
    check(take(0) && !take(0));
    set_row(LIMIT_HOP, 1000, SECOND);
    check(!take(50));
    flushed = 100;
    check(take(51));
    check_number(world.asked, 4);
    take(52);
    check_number(world.asked, 4);
    teardown();
}

static void another_rate_counts_from_the_last_message_on(void)
{
    int64_t until;

    setup("", "");
    set_row(LIMIT_HOP, 1, HOUR);
    check(take(0) && !take(0) && !take(MINUTE));
    set_row(LIMIT_HOP, 1, MINUTE);
    check(!take(MINUTE + 500)); /* not yet known */
    check(take(MINUTE + 1000) && !take(MINUTE + 1000));
    set_row(LIMIT_HOP, 1, HOUR);
    check(!take_of("hop.example", 25, "example.com", MINUTE + 2000, &until));
    check(until >= HOUR + MINUTE && until <= HOUR + MINUTE + 2000);
    set_row(LIMIT_HOP, 0, 0);
    for (int i = 0; i < 10; i++)
        check(take(MINUTE + 3000 + i));
    teardown();
}

static void a_directory_that_fails_lets_nothing_slip_through(void)
{
    struct rates_wait wait;

    setup("", "");
    world.fails = true;
    check(!rates_take(rates, &(struct rates_way){.host = "hop.example", .port = 25, .domain = STR("example.com")}, 0, &wait));
    check_number(wait.why.code, 451);
    check_number(wait.why.subject, 3);
    check_number(wait.until, 1000);
    check(!rates_take(rates, &(struct rates_way){.host = NULL, .port = 0, .domain = STR("example.com")}, 0, &wait));
    world.fails = false;
    set_row(LIMIT_HOP, 1, HOUR);
    check(take(10));
    world.fails = true; /* what was known counts */
    check(!take(5000));
    check(take_of("hop.example", 25, "example.com", 10 + HOUR, NULL));
    teardown();
}

/* ---- memory ---- */

/* Names without a limit come and go; one with a limit is not forgotten for them. */
static void the_limited_are_remembered(void)
{
    char name[64];

    setup("", "");
    set_row(LIMIT_DOMAIN, 1, HOUR);
    world.names[LIMIT_DOMAIN] = STR("example.com");
    check(take(0));
    for (int i = 0; i < 200000; i++) {
        snprintf(name, sizeof name, "d%d.example", i);
        if (!check(take_of(name, 25, name, i / 100, NULL)))
            break;
    }
    check(!take(2000));
    teardown();
}

/* Of twenty thousand limited ones hardly any is forgotten; of more some are, and none is refused that was not there. */
static void many_are_limited_at_once(void)
{
    char name[64];
    int forgotten = 0;

    setup("", "1/hour");
    for (int round = 0; round < 2; round++)
        for (int i = 0; i < 20000; i++) {
            snprintf(name, sizeof name, "d%d.example", i);
            forgotten += take_of(NULL, 0, name, round, NULL) ? round : 0;
        }
    if (!check(forgotten < 400))
        printf("#   %d\n", forgotten);
    for (int i = 0; i < 300000; i++) {
        snprintf(name, sizeof name, "e%d.example", i);
        if (!check(take_of(NULL, 0, name, 2, NULL)))
            break;
    }
    teardown();
}

static const struct test_case cases[] = {
    TEST_CASE(no_unit_sees_more_than_its_number),
    TEST_CASE(there_is_no_burst_after_a_pause),
    TEST_CASE(slow_turns_reach_fast_rates),
    TEST_CASE(a_backlog_gets_its_rate),
    TEST_CASE(a_flush_leaves_no_gap),
    TEST_CASE(they_come_back_spread),
    TEST_CASE(both_or_neither_are_counted),
    TEST_CASE(hops_ports_and_domains_are_counted_for_themselves),
    TEST_CASE(what_does_not_start_is_given_back),
    TEST_CASE(rows_come_before_the_configuration),
    TEST_CASE(the_directory_is_asked_once_a_second),
    TEST_CASE(a_flush_asks_the_directory),
    TEST_CASE(another_rate_counts_from_the_last_message_on),
    TEST_CASE(a_directory_that_fails_lets_nothing_slip_through),
    TEST_CASE(the_limited_are_remembered),
    TEST_CASE(many_are_limited_at_once),
};

int main(int argc, char **argv)
{
    return test_main(cases, TEST_COUNT(cases), argc, argv);
}

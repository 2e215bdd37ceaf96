#include "test.h"

#include "deliverd/round.h"

#include "letter.h"
#include "place.h"

static struct place place;
static struct queue q;
static struct claims c;
static char error[512];

static void setup(void)
{
    place_open(&place);
    check(queue_open(&q, place.folder, error, sizeof error));
    check(claims_init(&c, &q, true));
}

static void teardown(void)
{
    queue_close(&q);
    place_close(&place);
}

static void put(const char *sender, const char *recipient, int64_t wait)
{
    struct letter l;

    letter_open(&l, place.folder, recipient, 10);
    l.envelope.sender = str_of(sender);
    l.envelope.arrived += wait;
    check(letter_put(&q, &l));
    letter_close(&l);
}

/* The domains of the round's next places, at most MOST, up to its end: "a b c". */
static void walk(struct round *r, int most, char *to, size_t size)
{
    size_t length = 0;

    to[0] = '\0';
    for (int i = 0; i < most && round_next(r, clock_wall(), 1000) == 1; i++)
        length += (size_t)snprintf(to + length, size - length, "%s%.40s", length > 0 ? " " : "", r->at.domain);
}

static void rounds_go_on_where_they_stopped(void)
{
    static const char *const domains[] = {"a", "b", "c", "d"};
    char said[1024], recipient[32];
    struct round r;

    setup();
    for (size_t i = 0; i < TEST_COUNT(domains); i++) {
        snprintf(recipient, sizeof recipient, "u@%s.example", domains[i]);
        put("s@x.example", recipient, 0);
    }
    round_init(&r, &c, false);
    walk(&r, 3, said, sizeof said);
    check_text(said, "a.example b.example c.example");
    check(!r.complete);
    /* The round ends behind the last; the next begins there, and is over when it is where it began. */
    walk(&r, 10, said, sizeof said);
    check_text(said, "d.example");
    check(r.complete);
    walk(&r, 10, said, sizeof said);
    check_text(said, "a.example b.example c.example d.example");
    check(r.complete);
    /* Somebody comes in behind, somebody in front: both are met in the same round. */
    walk(&r, 2, said, sizeof said);
    put("s@x.example", "u@aa.example", 0);
    put("s@x.example", "u@cc.example", 0);
    walk(&r, 10, said, sizeof said);
    check_text(said, "c.example cc.example d.example");
    walk(&r, 10, said, sizeof said);
    check_text(said, "a.example aa.example b.example c.example cc.example d.example");
    round_reset(&r);
    walk(&r, 1, said, sizeof said);
    check_text(said, "a.example");
    teardown();
}

static void what_is_not_due_is_passed(void)
{
    char said[1024];
    struct round r;

    setup();
    put("s@x.example", "u@a.example", 60000);
    put("s@x.example", "u@b.example", 0);
    put("s@x.example", "u@c.example", 30000);
    round_init(&r, &c, false);
    walk(&r, 10, said, sizeof said);
    check_text(said, "b.example");
    check(r.complete);
    /* No more is passed in a step than is asked for. */
    check_number(round_next(&r, clock_wall(), 0), 0);
    check(!r.complete);
    check_number(round_next(&r, clock_wall(), 0), 1);
    teardown();
}

/* A visit to a sender takes something from each of some destinations, the next from others, until all have been visited. */
static void senders_have_a_round_of_their_own(void)
{
    struct due due[16];
    static struct round r;
    char recipient[32];
    int64_t seen[64];
    int visits = 0, count = 0, most = 0;

    setup();
    for (int i = 0; i < 20; i++) {
        snprintf(recipient, sizeof recipient, "u@d%02d.example", i);
        put("many@x.example", recipient, 0);
        put("many@x.example", recipient, 60000);
    }
    put("one@x.example", "u@d00.example", 0);
    round_init(&r, &c, true);
    while (visits < 6 && round_next(&r, clock_wall(), 1000) >= 0) {
        int here;

        if (r.complete)
            continue;
        here = round_due(&r, clock_wall(), due, 16);
        visits++;
        most = here > most ? here : most;
        for (int i = 0; i < here; i++) {
            int k = 0;

            while (k < count && seen[k] != due[i].message)
                k++;
            if (k == count)
                seen[count++] = due[i].message;
        }
    }
    check_number(most, 8);
    check_number(count, 21); /* three visits each: all that is due */
    teardown();
}

static const struct test_case cases[] = {
    TEST_CASE(rounds_go_on_where_they_stopped),
    TEST_CASE(what_is_not_due_is_passed),
    TEST_CASE(senders_have_a_round_of_their_own),
};

int main(int argc, char **argv)
{
    return test_main(cases, TEST_COUNT(cases), argc, argv);
}

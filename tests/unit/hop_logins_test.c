#include "test.h"

#include "base/clock.h"
#include "base/thread.h"
#include "deliverd/hop_logins.h"

#include <poll.h>
#include <stdatomic.h>

/* They live as long as their process. */
static struct hop_logins *make_logins(int64_t remember_ms)
{
    static struct hop_logins *made[16];
    static size_t count;

    made[count] = hop_logins_new(remember_ms);
    return made[count++];
}

static const struct status wrong = {.code = 454, .class = 4, .subject = 7, .detail = 8, .text = "wrong password"};

static void one_that_failed_is_left_alone_for_a_while(void)
{
    struct hop_logins *l = make_logins(80);
    struct status why = {0};

    check_number(hop_logins_enter(l, STR("one"), 0, &why), HOP_TURN_MINE);
    hop_logins_leave(l, STR("one"), HOP_TURN_MINE, HOP_LOGIN_FAILED, &wrong);
    check_number(hop_logins_enter(l, STR("one"), 0, &why), HOP_TURN_NONE);
    check_text(why.text, "wrong password");
    check_number(hop_logins_enter(l, STR("two"), 0, &why), HOP_TURN_MINE); /* another login is another matter */
    hop_logins_leave(l, STR("two"), HOP_TURN_MINE, HOP_LOGIN_UNTRIED, NULL);
    poll(NULL, 0, 120);
    check_number(hop_logins_enter(l, STR("one"), 0, &why), HOP_TURN_MINE);
    hop_logins_leave(l, STR("one"), HOP_TURN_MINE, HOP_LOGIN_WORKS, NULL);
    check_number(hop_logins_enter(l, STR("one"), 0, &why), HOP_TURN_FREE); /* one that works stops nobody */
    check_number(hop_logins_enter(l, STR("one"), 0, &why), HOP_TURN_FREE);
    hop_logins_leave(l, STR("one"), HOP_TURN_FREE, HOP_LOGIN_UNTRIED, NULL); /* a connection that broke says nothing of the login */
    check_number(hop_logins_enter(l, STR("one"), 0, &why), HOP_TURN_FREE);
}

static void an_administrator_may_ask_again(void)
{
    struct hop_logins *l = make_logins(60000);
    struct status why;

    check_number(hop_logins_enter(l, STR("one"), 0, &why), HOP_TURN_MINE);
    hop_logins_leave(l, STR("one"), HOP_TURN_MINE, HOP_LOGIN_FAILED, &wrong);
    check_number(hop_logins_enter(l, STR("one"), clock_wall() - 1000, &why), HOP_TURN_NONE);
    check(hop_logins_have_failed(l, STR("one"), 0, &why) && !hop_logins_have_failed(l, STR("one"), clock_wall() + 1000, &why));
    check_number(hop_logins_enter(l, STR("one"), clock_wall() + 1000, &why), HOP_TURN_MINE);
    hop_logins_leave(l, STR("one"), HOP_TURN_MINE, HOP_LOGIN_UNTRIED, NULL);
}

static struct {
    struct hop_logins *logins;
    atomic_int tried, refused, ended;
} crowd;

static void knock(void *unused)
{
    struct status why;

    (void)unused;
    if (hop_logins_enter(crowd.logins, STR("one"), 0, &why) != HOP_TURN_NONE) {
        atomic_fetch_add(&crowd.tried, 1);
        poll(NULL, 0, 50);
        hop_logins_leave(crowd.logins, STR("one"), HOP_TURN_MINE, HOP_LOGIN_FAILED, &wrong);
    } else {
        atomic_fetch_add(&crowd.refused, 1);
    }
    atomic_fetch_add(&crowd.ended, 1);
}

/* Twenty messages at once are one try with a wrong password, not twenty. */
static void of_many_one_tries(void)
{
    crowd.logins = make_logins(60000);
    for (int i = 0; i < 20; i++)
        check(thread_start(knock, NULL));
    for (int i = 0; i < 500 && atomic_load(&crowd.ended) < 20; i++)
        poll(NULL, 0, 10);
    check_number(atomic_load(&crowd.tried), 1);
    check_number(atomic_load(&crowd.refused), 19);
}

static void the_table_is_bounded(void)
{
    struct hop_logins *l = make_logins(60000);
    struct status why;
    char key[32];

    for (int i = 0; i < 1000; i++) {
        snprintf(key, sizeof key, "login %d", i);
        if (!check(hop_logins_enter(l, str_of(key), 0, &why) == HOP_TURN_MINE))
            return;
        hop_logins_leave(l, str_of(key), HOP_TURN_MINE, HOP_LOGIN_FAILED, &wrong);
        if (!check(hop_logins_enter(l, str_of(key), 0, &why) == HOP_TURN_NONE))
            return;
    }
}

static const struct test_case cases[] = {
    TEST_CASE(one_that_failed_is_left_alone_for_a_while),
    TEST_CASE(an_administrator_may_ask_again),
    TEST_CASE(of_many_one_tries),
    TEST_CASE(the_table_is_bounded),
};

int main(int argc, char **argv)
{
    return test_main(cases, TEST_COUNT(cases), argc, argv);
}

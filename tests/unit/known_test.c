#include "test.h"

#include "directory/known.h"

#include <poll.h>

static void what_was_right_is_known_for_that_hash_only(void)
{
    static struct known k;

    known_init(&k, 60000);
    check(!known_has(&k, STR("password"), "$y$hash"));
    known_add(&k, STR("password"), "$y$hash");
    check(known_has(&k, STR("password"), "$y$hash"));
    check(!known_has(&k, STR("password"), "$y$other"));
    check(!known_has(&k, STR("passwor"), "d$y$hash") && !known_has(&k, STR("password$"), "y$hash"));
    check(!known_has(&k, STR("Password"), "$y$hash") && !known_has(&k, STR(""), ""));
    known_done(&k);
}

static void it_is_forgotten(void)
{
    static struct known k;

    known_init(&k, 50);
    known_add(&k, STR("password"), "$y$hash");
    poll(NULL, 0, 80);
    check(!known_has(&k, STR("password"), "$y$hash"));
    known_done(&k);
}

static void nothing_of_a_password_is_kept(void)
{
    static struct known k;
    const char *bytes = (const char *)&k;
    bool seen = false;

    known_init(&k, 60000);
    known_add(&k, STR("correct horse"), "$y$hash");
    for (size_t i = 0; i + 13 <= sizeof k; i++)
        seen = seen || memcmp(bytes + i, "correct horse", 13) == 0;
    check(!seen);
    known_done(&k);
}

static const struct test_case cases[] = {
    TEST_CASE(what_was_right_is_known_for_that_hash_only),
    TEST_CASE(it_is_forgotten),
    TEST_CASE(nothing_of_a_password_is_kept),
};

int main(int argc, char **argv)
{
    return test_main(cases, TEST_COUNT(cases), argc, argv);
}

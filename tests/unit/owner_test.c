#include "test.h"

#include "queue/owner.h"

#include "place.h"

#include <signal.h>
#include <sys/wait.h>

static struct place place;
static char error[512];

static void the_living_are_known(void)
{
    struct owner a, b;

    check(owner_open(&a, place.folder, error, sizeof error));
    check(owner_open(&b, place.folder, error, sizeof error));
    check(a.number > 0 && b.number > 0 && a.number != b.number);
    check(owner_is_alive(&a, a.number) && owner_is_alive(&b, b.number));
    check(owner_is_alive(&a, b.number) && owner_is_alive(&b, a.number));
    check(!owner_is_alive(&a, a.number + b.number));
    owner_close(&b);
    check(!owner_is_alive(&a, b.number));
    owner_close(&a);
    owner_close(&a);
}

/* However it ends. */
static void a_killed_process_is_dead(void)
{
    struct owner self;
    int64_t number = 0;
    int tell[2];
    pid_t pid;

    check(owner_open(&self, place.folder, error, sizeof error));
    check(pipe(tell) == 0);
    fflush(stdout);
    pid = fork();
    if (pid == 0) {
        struct owner o;

        if (owner_open(&o, place.folder, error, sizeof error))
            (void)!write(tell[1], &o.number, sizeof o.number);
        for (;;)
            pause();
    }
    check(read(tell[0], &number, sizeof number) == sizeof number);
    check(owner_is_alive(&self, number));
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    check(!owner_is_alive(&self, number));
    owner_close(&self);
    close(tell[0]);
    close(tell[1]);
}

static void numbers_differ(void)
{
    struct owner owners[200];

    for (size_t i = 0; i < TEST_COUNT(owners); i++) {
        check(owner_open(&owners[i], place.folder, error, sizeof error));
        for (size_t k = 0; k < i; k++)
            check(owners[i].number != owners[k].number);
    }
    for (size_t i = 0; i < TEST_COUNT(owners); i++)
        owner_close(&owners[i]);
}

static void failures_say_why(void)
{
    struct owner o;

    check(!owner_open(&o, "/nonexistent/folder", error, sizeof error));
    check_has(error, "/nonexistent/folder");
    check_has(error, "No such file");
    owner_close(&o);
}

static const struct test_case cases[] = {
    TEST_CASE(the_living_are_known),
    TEST_CASE(a_killed_process_is_dead),
    TEST_CASE(numbers_differ),
    TEST_CASE(failures_say_why),
};

int main(int argc, char **argv)
{
    int status;

    place_open(&place);
    status = test_main(cases, TEST_COUNT(cases), argc, argv);
    place_close(&place);
    return status;
}

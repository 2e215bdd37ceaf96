/*
 * test - the harness of the unit tests: a table of cases, and checks that count.
 *
 *     static void empty_is_refused(void)
 *     {
 *         check(!parse(""));
 *         check_text(error(), "it is empty");
 *     }
 *     static const struct test_case cases[] = {TEST_CASE(empty_is_refused)};
 *     int main(int argc, char **argv) { return test_main(cases, TEST_COUNT(cases), argc, argv); }
 *
 * A check that fails is noted and the case goes on, so it must not lean on what it checked (test_failed tells).  Output is a line a case:
 * `ok NAME`, or `not ok NAME # FILE:LINE: EXPRESSION` for the first failure and `# …` lines for the others.  Words on the command
 * line name the cases to run; none: all.  Exit status 1 when a case failed or none ran.
 */
#ifndef TEST_H
#define TEST_H

#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

struct test_case {
    const char *name;
    void (*run)(void);
};

#define TEST_CASE(function) {#function, function}
#define TEST_COUNT(cases) (sizeof(cases) / sizeof((cases)[0]))

static struct {
    const char *name;
    int failures; /* of the case that runs */
} test_state;

static inline bool test_failed(void)
{
    return test_state.failures > 0;
}

static inline void test_note(const char *file, int line, const char *what)
{
    if (test_state.failures++ == 0)
        printf("not ok %s # %s:%d: %s\n", test_state.name, file, line, what);
    else
        printf("# %s:%d: %s\n", file, line, what);
}

static inline bool test_check(bool holds, const char *file, int line, const char *expression)
{
    if (!holds)
        test_note(file, line, expression);
    return holds;
}

static inline bool test_check_bytes(const char *actual, size_t actual_length, const char *expected, size_t expected_length,
                                    const char *file, int line, const char *expression)
{
    if (actual_length == expected_length && (actual_length == 0 || memcmp(actual, expected, actual_length) == 0))
        return true;
    test_note(file, line, expression);
    printf("#   is:        \"%.*s\"\n#   should be: \"%.*s\"\n", (int)actual_length, actual_length > 0 ? actual : "",
           (int)expected_length, expected_length > 0 ? expected : "");
    return false;
}

static inline bool test_check_text(const char *actual, const char *expected, const char *file, int line, const char *expression)
{
    if (actual == NULL) {
        test_note(file, line, expression);
        printf("#   is:        NULL\n#   should be: \"%s\"\n", expected);
        return false;
    }
    return test_check_bytes(actual, strlen(actual), expected, strlen(expected), file, line, expression);
}

static inline bool test_check_has(const char *text, const char *part, const char *file, int line, const char *expression)
{
    if (text != NULL && strstr(text, part) != NULL)
        return true;
    test_note(file, line, expression);
    printf("#   is:          \"%s\"\n#   should hold: \"%s\"\n", text != NULL ? text : "(NULL)", part);
    return false;
}

static inline bool test_check_number(int64_t actual, int64_t expected, const char *file, int line, const char *expression)
{
    if (actual == expected)
        return true;
    test_note(file, line, expression);
    printf("#   is:        %" PRId64 "\n#   should be: %" PRId64 "\n", actual, expected);
    return false;
}

/* All return whether it held. */
#define check(expression) test_check((expression), __FILE__, __LINE__, #expression)
#define check_text(actual, expected) test_check_text((actual), (expected), __FILE__, __LINE__, #actual " is " #expected)
#define check_has(text, part) test_check_has((text), (part), __FILE__, __LINE__, #text " holds " #part)
#define check_number(actual, expected) \
    test_check_number((int64_t)(actual), (int64_t)(expected), __FILE__, __LINE__, #actual " is " #expected)
/* Both are struct str (base/str.h). */
#define check_str(actual, expected) \
    test_check_bytes((actual).data, (actual).length, (expected).data, (expected).length, __FILE__, __LINE__, #actual " is " #expected)

static inline bool test_is_wanted(const char *name, int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], name) == 0)
            return true;
    return argc < 2;
}

static inline int test_main(const struct test_case *cases, size_t count, int argc, char **argv)
{
    int ran = 0, failed = 0;

    setvbuf(stdout, NULL, _IOLBF, 0);
    for (size_t i = 0; i < count; i++) {
        if (!test_is_wanted(cases[i].name, argc, argv))
            continue;
        test_state.name = cases[i].name;
        test_state.failures = 0;
        cases[i].run();
        ran++;
        if (test_failed())
            failed++;
        else
            printf("ok %s\n", cases[i].name);
    }
    return ran == 0 || failed > 0 ? 1 : 0;
}

#endif

#include "test.h"

#include "policy/expand.h"

/* A directory whose aliases are this table: `here` and `also` are local, `relay` is a rcpthost, others are not. */
static const struct {
    const char *alias;
    const char *targets[4];
} aliases[] = {
    {"one", {"joe@else"}},
    {"many", {"joe@else", "ann@relay", "box@here", "Joe@else"}},
    {"tree", {"many@here", "one@also", "last@else"}},
    {"self", {"self@here"}},
    {"a", {"joe@else", "b@here"}},
    {"b", {"c@here"}},
    {"c", {"a@here"}},
    {"broken", {"joe@else", "unasked@here"}},
    {"beyond", {"joe@unasked"}},
    {"odd", {"no address", "joe@else"}},
    {"d1", {"d2@here"}}, {"d2", {"d3@here"}}, {"d3", {"d4@here"}}, {"d4", {"d5@here"}}, {"d5", {"d6@here"}}, {"d6", {"d7@here"}},
    {"d7", {"d8@here"}}, {"d8", {"d9@here"}}, {"d9", {"d10@here"}}, {"d10", {"d11@here"}}, {"d11", {"joe@else"}},
};

static int questions;

static enum answer ask_rcpthost(void *self, struct str domain, struct rcpthost *host)
{
    (void)self;
    questions++;
    *host = (struct rcpthost){.is_local = str_equal(domain, STR("here")) || str_equal(domain, STR("also"))};
    if (str_equal(domain, STR("unasked")))
        return ANSWER_FAILED;
    return host->is_local || str_equal(domain, STR("relay")) ? ANSWER_YES : ANSWER_NO;
}

static enum answer ask_alias(void *self, struct str local, struct str domain, struct arena *arena, struct alias *alias)
{
    (void)self;
    (void)domain;
    *alias = (struct alias){.targets = arena_new(arena, 1100 * sizeof *alias->targets)};
    questions++;
    for (size_t i = 0; i < TEST_COUNT(aliases); i++)
        for (size_t j = 0; str_equal(local, str_of(aliases[i].alias)) && j < 4 && aliases[i].targets[j] != NULL; j++)
            alias->targets[alias->count++] = str_of(aliases[i].targets[j]);
    for (uint64_t i = 0, n = 0; str_number(local, 1100, &n) && i < n; i++) {
        char text[40];

        snprintf(text, sizeof text, "u%d@else", (int)i);
        alias->targets[alias->count++] = arena_str(arena, str_of(text));
    }
    return str_equal(local, STR("unasked")) ? ANSWER_FAILED : alias->count > 0 ? ANSWER_YES : ANSWER_NO;
}

static const struct directory directory = {.rcpthost = ask_rcpthost, .alias = ask_alias};

static struct expansion expand(const char *address, struct arena *arena)
{
    struct expansion x;
    struct path path;

    questions = 0;
    check(path_parse_address(&path, str_of(address), arena) == PATH_OK);
    policy_expand(&x, &directory, &path, arena);
    return x;
}

/* The targets with a space behind each, `!` before those that are outside; or the status. */
static void check_expand(const char *address, const char *expected)
{
    struct arena arena = {0};
    struct expansion x = expand(address, &arena);
    struct buf text = {0};

    for (const struct target *t = x.targets; t != NULL && status_is_ok(&x.status); t = t->next)
        buf_print(&text, "%s%.*s ", t->is_outside ? "!" : "", STR_ARG(t->path.address));
    if (!status_is_ok(&x.status))
        buf_print(&text, "%d %d.%d.%d", x.status.code, x.status.class, x.status.subject, x.status.detail);
    if (!check_text(buf_text(&text), expected))
        printf("#   %s\n", address);
    buf_done(&text);
    arena_done(&arena);
}

static void who_stands_for_himself(void)
{
    check_expand("box@here", "box@here ");
    check_expand("joe@relay", "joe@relay ");
    check_expand("joe@else", "!joe@else ");
}

static void each_address_once_and_in_order(void)
{
    check_expand("one@here", "!joe@else ");
    check_expand("many@here", "!joe@else ann@relay box@here !Joe@else ");
    check_expand("tree@here", "!joe@else ann@relay box@here !Joe@else !last@else ");
    check_expand("odd@here", "451 4.3.5");
}

static void loops(void)
{
    check_expand("self@here", "554 5.4.6");
    check_expand("a@here", "554 5.4.6");
    check_expand("c@here", "554 5.4.6");
}

static void depth(void)
{
    check_expand("d2@here", "!joe@else ");
    check_expand("d1@here", "554 5.4.6");
}

static void what_cannot_be_asked(void)
{
    check_expand("broken@here", "451 4.3.0");
    check_expand("beyond@here", "451 4.3.0");
    check_expand("unasked@here", "451 4.3.0");
}

static void number(void)
{
    struct arena arena = {0};
    struct expansion x = expand("1000@here", &arena);

    check(status_is_ok(&x.status));
    check_number(x.count, 1000);
    check_expand("1001@here", "452 4.5.3");
    arena_done(&arena);
}

/* An address that was seen is not asked about again. */
static void questions_are_asked_once(void)
{
    struct arena arena = {0};

    (void)expand("tree@here", &arena);
    check_number(questions, 2 + 2 + 1 + 1 + 2 + 1 + 2 + 1);
    arena_done(&arena);
}

static const struct test_case cases[] = {
    TEST_CASE(who_stands_for_himself),
    TEST_CASE(each_address_once_and_in_order),
    TEST_CASE(loops),
    TEST_CASE(depth),
    TEST_CASE(what_cannot_be_asked),
    TEST_CASE(number),
    TEST_CASE(questions_are_asked_once),
};

int main(int argc, char **argv)
{
    return test_main(cases, TEST_COUNT(cases), argc, argv);
}

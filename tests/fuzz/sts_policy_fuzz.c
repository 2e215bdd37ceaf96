/* MTA-STS policies.  What is read is bounded and normal, names the hosts that it should, and comes to the same when it is written anew. */
#include "fuzz.h"

#include "route/sts_policy.h"
#include "smtp/domain.h"

static void check_pattern(const struct sts_policy *p, const char *pattern)
{
    bool any = strncmp(pattern, "*.", 2) == 0;
    const char *name = any ? pattern + 2 : pattern;
    char normal[DOMAIN_SIZE], host[2 * DOMAIN_SIZE];

    fuzz_check(domain_normalize(str_of(name), normal) && strcmp(normal, name) == 0);
    if (any) {
        snprintf(host, sizeof host, "x.%s", name);
        fuzz_check(sts_names(p, host));
    } else {
        fuzz_check(sts_names(p, name));
    }
}

static bool is_same(const struct sts_policy *a, const struct sts_policy *b)
{
    if (a->mode != b->mode || a->max_age != b->max_age || a->mx_count != b->mx_count)
        return false;
    for (size_t i = 0; i < a->mx_count; i++)
        if (strcmp(a->mx[i], b->mx[i]) != 0)
            return false;
    return true;
}

static void check_again(const struct sts_policy *p, struct arena *arena)
{
    struct sts_policy again;
    const char *problem;
    struct buf text = {0};

    buf_print(&text, "version: STSv1\nmax_age: %lld\nmode: %s\n", (long long)p->max_age, sts_mode_name(p->mode));
    for (size_t i = 0; i < p->mx_count; i++)
        buf_print(&text, "mx: %s\n", p->mx[i]);
    fuzz_check(sts_read_policy(&again, buf_str(&text), arena, &problem));
    fuzz_check(is_same(p, &again));
    buf_done(&text);
}

static void check_policy(const struct sts_policy *p, struct str text, struct arena *arena)
{
    fuzz_check(str_equal(p->text, text));
    fuzz_check(p->max_age >= 0 && p->max_age <= STS_AGE_MAX);
    fuzz_check(p->mx_count <= STS_MX_MOST);
    fuzz_check(p->mode == STS_NONE || p->mx_count > 0);
    fuzz_check(str_is_utf8(text) && !str_has(text, '\0'));
    for (size_t i = 0; i < p->mx_count; i++)
        check_pattern(p, p->mx[i]);
    fuzz_check(!sts_names(p, ""));
    check_again(p, arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str content = fuzz_input(data, size);
    char *exact = fuzz_exact(content);
    struct sts_policy p;
    const char *problem = NULL;
    struct arena arena;

    arena_init(&arena);
    if (sts_read_policy(&p, (struct str){exact, content.length}, &arena, &problem))
        check_policy(&p, content, &arena);
    else
        fuzz_check(problem != NULL && problem[0] != '\0');
    arena_done(&arena);
    free(exact);
    return 0;
}

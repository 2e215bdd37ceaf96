#include "directory/alias_loop.h"

#include "directory/aliases.h"
#include "directory/recipients.h"
#include "smtp/path.h"

/* One alias on the way, which is on the stack, and the one that led there. */
struct step {
    const struct step *before;
    struct str alias;
    int depth;
};

struct search {
    struct tables *t;
    char delimiter;
    struct arena arena;
    struct buf chain; /* of the loop that was found */
    int looks;
};

/* From FIRST to LAST, in that order. */
/* NOLINTNEXTLINE(misc-no-recursion): as deep as ALIASES_DEPTH_MAX */
static void write_chain(const struct step *first, const struct step *last, struct buf *to)
{
    if (last != first)
        write_chain(first, last->before, to);
    buf_print(to, "%.*s -> ", STR_ARG(last->alias));
}

static enum answer find(struct search *s, struct str address, struct local *found)
{
    struct path path;

    if (path_parse_address(&path, address, &s->arena) != PATH_OK || ++s->looks > ALIASES_TARGETS_MAX)
        return ANSWER_NO;
    return recipients_find(s->t, path.local, path.host, s->delimiter, &s->arena, found);
}

/* YES: there is a loop, and the chain has been written. */
/* NOLINTNEXTLINE(misc-no-recursion): as deep as ALIASES_DEPTH_MAX */
static enum answer follow(struct search *s, struct str address, const struct step *before)
{
    struct step here = {.before = before, .depth = before != NULL ? before->depth + 1 : 0};
    struct local found;
    enum answer answer = here.depth <= ALIASES_DEPTH_MAX ? find(s, address, &found) : ANSWER_NO;

    if (answer != ANSWER_YES || found.alias.length == 0)
        return answer == ANSWER_FAILED ? answer : ANSWER_NO;
    here.alias = found.alias;
    for (const struct step *step = before; step != NULL; step = step->before)
        if (str_equal(step->alias, found.alias)) {
            write_chain(step, before, &s->chain);
            buf_add(&s->chain, found.alias);
            return ANSWER_YES;
        }
    answer = ANSWER_NO;
    for (size_t i = 0; i < found.count && answer == ANSWER_NO; i++)
        answer = follow(s, found.targets[i], &here);
    return answer;
}

struct status alias_loop_check(struct tables *t, struct str alias, char delimiter)
{
    struct search s = {.t = t, .delimiter = delimiter};
    struct status status = status_ok();

    switch (follow(&s, alias, NULL)) {
    case ANSWER_YES:
        status = tables_refused("the alias goes round in a circle: %s", buf_text(&s.chain));
        break;
    case ANSWER_NO:
        break;
    case ANSWER_FAILED:
        status = tables_failed(t);
        break;
    }
    buf_done(&s.chain);
    arena_done(&s.arena);
    return status;
}

#include "directory/alias_loop.h"

#include "directory/aliases.h"
#include "directory/names.h"
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
    int looks, looks_max;
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

    if (path_parse_address(&path, address, &s->arena) != PATH_OK || ++s->looks > s->looks_max)
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

static struct status end(struct search *s, enum answer answer)
{
    struct status status =
        tables_unless(s->t, answer, tables_refused("the alias goes round in a circle: %s", buf_text(&s->chain)));

    buf_done(&s->chain);
    arena_done(&s->arena);
    return status;
}

struct status alias_loop_check(struct tables *t, struct str alias, char delimiter)
{
    struct search s = {.t = t, .delimiter = delimiter, .looks_max = ALIASES_TARGETS_MAX};

    return end(&s, follow(&s, alias, NULL));
}

/* LIST as the table has it: domains as they were typed. */
static bool has_domain(struct str list, struct str domain)
{
    char name[NAME_SIZE];
    struct str item;

    while (str_cut_any(&list, "; ", &item))
        if (name_address(item, name) && str_equal(name_domain(str_of(name)), domain))
            return true;
    return false;
}

struct status alias_loop_check_domain(struct tables *t, struct str domain, char delimiter)
{
    struct search s = {.t = t, .delimiter = delimiter, .looks_max = LOOP_LOOKS_MAX};
    struct db_query *q = tables_query(t, "SELECT alias, deliver_to FROM aliases WHERE ifnull(is_dom_alias, 0) = 0 ORDER BY alias");
    enum answer answer = ANSWER_NO;

    if (q == NULL)
        return tables_failed(t);
    while (answer == ANSWER_NO && s.looks < s.looks_max && db_step(q))
        if (has_domain(db_str(q, 1), domain))
            answer = follow(&s, db_str(q, 0), NULL);
    if (!db_finish(q))
        answer = ANSWER_FAILED;
    return end(&s, answer);
}

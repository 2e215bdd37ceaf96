#include "policy/residents.h"

#include "policy/lists.h"

static bool is_role(struct str local)
{
    return str_equal_nocase(local, STR("postmaster")) || str_equal_nocase(local, STR("abuse"));
}

bool policy_is_host_role(const struct conf *conf, const struct path *path)
{
    if (path_is_postmaster(path))
        return true;
    if (!str_equal(path->host, str_of(conf->me)))
        return false;
    return str_equal_nocase(path->local, STR("postmaster")) || (conf->postmaster[0] != '\0' && is_role(path->local));
}

struct str policy_postmaster(const struct conf *conf, const struct path *path)
{
    struct str postmaster = str_of(conf->postmaster);
    struct arena arena;
    struct path own;
    bool same;

    arena_init(&arena);
    same = path_parse_address(&own, postmaster, &arena) == PATH_OK && str_equal(own.host, path->host) &&
           str_equal_nocase(own.local, path->local);
    arena_done(&arena);
    if (same)
        return STR("");
    return postmaster;
}

static enum answer ask(const struct directory *d, const struct conf *conf, const struct path *path, struct arena *arena,
                       struct local *found)
{
    return d->local(d->self, path->local, path->host, conf->recipient_delimiter[0], arena, found);
}

/* Whether a mini-list's bounces come to PATH.  With the delimiter - it may look like a detail of the list. */
static enum answer is_of_list(const struct directory *d, const struct path *path, struct arena *arena)
{
    struct local list;
    struct str name;
    enum answer answer;

    if (!policy_list_of(path->local, &name))
        return ANSWER_NO;
    answer = d->local(d->self, name, path->host, '\0', arena, &list);
    return answer == ANSWER_YES && !list.is_list ? ANSWER_NO : answer;
}

static void take_key(struct resident *found, const struct path *path, struct str postmaster, struct arena *arena)
{
    *found = (struct resident){.by_key = true, .local = {.count = 1, .targets = arena_new(arena, sizeof *found->local.targets)}};
    found->local.targets[0] = postmaster;
    found->local.alias = path_format(arena_lower(arena, path->local), path->host, arena);
}

static enum answer find_role(const struct directory *d, const struct conf *conf, const struct path *path, struct arena *arena,
                             struct resident *found)
{
    enum answer answer = ask(d, conf, path, arena, &found->local);
    struct str postmaster = policy_postmaster(conf, path);

    if (answer == ANSWER_FAILED || (answer == ANSWER_YES && !found->local.is_catchall) || !is_role(path->local) || postmaster.length == 0)
        return answer;
    take_key(found, path, postmaster, arena);
    return ANSWER_YES;
}

enum answer policy_resident(const struct directory *d, const struct conf *conf, const struct path *path, struct arena *arena,
                            struct resident *found)
{
    struct path postmaster = *path;
    enum answer answer, of_list;

    *found = (struct resident){0};
    answer = find_role(d, conf, path, arena, found);
    if (answer == ANSWER_FAILED || (answer == ANSWER_YES && !found->local.is_catchall && found->local.detail.length == 0))
        return answer;
    of_list = is_of_list(d, path, arena);
    if (of_list != ANSWER_YES)
        return of_list == ANSWER_FAILED ? of_list : answer;
    postmaster.local = STR("postmaster");
    *found = (struct resident){0};
    return find_role(d, conf, &postmaster, arena, found);
}

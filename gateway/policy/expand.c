#include "policy/expand.h"

#include "directory/aliases.h"

/* An address that was met; all of them are listed, so that none is looked at twice. */
struct met {
    struct met *next;
    const struct path *path;
    bool open; /* it is being expanded: to meet it again is a loop */
};

struct walk {
    struct expansion *expansion;
    struct target **last;
    const struct directory *directory;
    struct arena *arena;
    struct met *met;
};

static void walk_address(struct walk *w, const struct path *path, int depth);

static bool goes_on(const struct walk *w)
{
    return status_is_ok(&w->expansion->status);
}

static void fail(struct walk *w, struct status status)
{
    w->expansion->status = status;
}

static void fail_to_ask(struct walk *w)
{
    fail(w, status_make(451, "4.3.0", "Cannot look up the recipient now, try again later"));
}

static void add_target(struct walk *w, const struct path *path, bool is_outside)
{
    struct target *target = arena_new(w->arena, sizeof *target);

    target->path = *path;
    target->is_outside = is_outside;
    *w->last = target;
    w->last = &target->next;
    if (++w->expansion->count > ALIASES_TARGETS_MAX)
        fail(w, status_make(452, "4.5.3", "The alias stands for too many recipients (limit %d)", ALIASES_TARGETS_MAX));
}

static struct met *find_met(const struct walk *w, const struct path *path)
{
    struct met *m = w->met;

    while (m != NULL && !(str_equal(m->path->host, path->host) && str_equal(m->path->local, path->local)))
        m = m->next;
    return m;
}

static void walk_text(struct walk *w, struct str address, int depth)
{
    struct path *path = arena_new(w->arena, sizeof *path);

    /* To pass it over would be to lose the mail of somebody who was meant. */
    if (path_parse_address(path, address, w->arena) == PATH_OK && path->host.length > 0)
        walk_address(w, path, depth);
    else
        fail(w, status_make(451, "4.3.5", "The alias leads to \"%.*s\", which is no address", STR_ARG(address)));
}

static void walk_local(struct walk *w, const struct path *path, int depth)
{
    struct alias alias;

    switch (w->directory->alias(w->directory->self, path->local, path->host, w->arena, &alias)) {
    case ANSWER_YES:
        for (size_t i = 0; i < alias.count && goes_on(w); i++)
            walk_text(w, alias.targets[i], depth + 1);
        break;
    case ANSWER_NO:
        add_target(w, path, false);
        break;
    case ANSWER_FAILED:
        fail_to_ask(w);
        break;
    }
}

static void walk_new(struct walk *w, const struct path *path, int depth)
{
    struct rcpthost host;

    switch (w->directory->rcpthost(w->directory->self, path->host, &host)) {
    case ANSWER_YES:
        if (host.is_local)
            walk_local(w, path, depth);
        else
            add_target(w, path, false);
        break;
    case ANSWER_NO:
        add_target(w, path, true);
        break;
    case ANSWER_FAILED:
        fail_to_ask(w);
        break;
    }
}

/* NOLINTNEXTLINE(misc-no-recursion): as deep as ALIASES_DEPTH_MAX */
static void walk_address(struct walk *w, const struct path *path, int depth)
{
    struct met *m = find_met(w, path);

    if ((m != NULL && m->open) || (m == NULL && depth > ALIASES_DEPTH_MAX)) {
        fail(w, status_make(554, "5.4.6", "<%.*s>: The alias leads back to itself, or through more than %d others", STR_ARG(path->address),
                            ALIASES_DEPTH_MAX));
        return;
    }
    if (m != NULL)
        return;
    m = arena_new(w->arena, sizeof *m);
    *m = (struct met){.next = w->met, .path = path, .open = true};
    w->met = m;
    walk_new(w, path, depth);
    m->open = false;
}

void policy_expand(struct expansion *x, const struct directory *d, const struct path *path, struct arena *arena)
{
    struct walk w = {.expansion = x, .last = &x->targets, .directory = d, .arena = arena};

    *x = (struct expansion){.status = status_make(250, "", "ok")};
    walk_address(&w, path, 0);
}

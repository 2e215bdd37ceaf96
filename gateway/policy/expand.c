#include "policy/expand.h"

#include "directory/aliases.h"
#include "policy/residents.h"

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
    const struct conf *conf;
    struct arena *arena;
    struct met *met;
    struct str list; /* whose members are walked; empty: no list's */
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

static void fail_by_loop(struct walk *w, const struct path *path)
{
    w->expansion->loop = path->address;
    fail(w, status_make(554, "5.4.6", "<%.*s>: The alias leads back to itself, or through more than %d others", STR_ARG(path->address),
                        ALIASES_DEPTH_MAX));
}

static struct target *add_target(struct walk *w, const struct path *path)
{
    struct target *target = arena_new(w->arena, sizeof *target);

    target->path = *path;
    target->list = w->list;
    *w->last = target;
    w->last = &target->next;
    if (++w->expansion->count > ALIASES_TARGETS_MAX)
        fail(w, status_make(452, "4.5.3", "The alias stands for too many recipients (limit %d)", ALIASES_TARGETS_MAX));
    return target;
}

static bool is_same(const struct path *a, const struct path *b)
{
    return str_equal(a->host, b->host) && str_equal(a->local, b->local);
}

static struct met *find_met(const struct walk *w, const struct path *path)
{
    struct met *m = w->met;

    while (m != NULL && !is_same(m->path, path))
        m = m->next;
    return m;
}

/* PATH must live as long as the walk. */
static struct met *add_met(struct walk *w, const struct path *path)
{
    struct met *m = arena_new(w->arena, sizeof *m);

    *m = (struct met){.next = w->met, .path = path, .open = true};
    w->met = m;
    return m;
}

static void walk_text(struct walk *w, struct str address, int depth)
{
    struct path *path = arena_new(w->arena, sizeof *path);

    /* To pass it over would be to lose the mail of somebody who was meant. */
    if (path_parse_address(path, address, w->arena) == PATH_OK && path->host.length > 0)
        walk_address(w, path, depth);
    else
        fail(w, status_make(451, "4.3.5", "The alias leads to what is no address")); /* tmail doctor says to what */
}

static bool parse_own(struct walk *w, struct path *path, struct str address)
{
    if (path_parse_address(path, address, w->arena) == PATH_OK)
        return true;
    fail(w, status_make(451, "4.3.5", "The directory has an address that is none"));
    return false;
}

/* user@domain becomes user+detail@domain.  Dovecot's LMTP takes no detail beyond ASCII (501), and the mail would be lost. */
static void put_back_detail(struct walk *w, struct path *path, struct str detail)
{
    struct buf local = {0};

    if (detail.length == 0 || !str_is_ascii(detail))
        return;
    buf_add(&local, path->local);
    buf_add_byte(&local, w->conf->recipient_delimiter[0]);
    buf_add(&local, detail);
    path->local = arena_str(w->arena, buf_str(&local));
    path->address = path_format(path->local, path->domain, w->arena);
    path->utf8 = !str_is_ascii(path->address);
    buf_done(&local);
}

static void walk_mailbox(struct walk *w, const struct path *asked, const struct local *found)
{
    struct path *path = arena_new(w->arena, sizeof *path);

    if (!parse_own(w, path, found->mailbox))
        return;
    put_back_detail(w, path, found->detail);
    if (!is_same(path, asked)) {
        if (find_met(w, path) != NULL)
            return;
        add_met(w, path)->open = false;
    }
    add_target(w, path)->mailbox = found->mailbox;
}

static void walk_targets(struct walk *w, const struct path *path, const struct local *found, int depth)
{
    struct str outer = w->list;

    if (found->command.length > 0)
        add_target(w, path)->is_command = true;
    if (found->is_list)
        w->list = found->alias;
    for (size_t i = 0; i < found->count && goes_on(w); i++)
        walk_text(w, found->targets[i], depth + 1);
    w->list = outer;
}

static void walk_alias(struct walk *w, const struct path *asked, const struct local *found, int depth)
{
    struct path *path = arena_new(w->arena, sizeof *path);
    struct met *m = NULL;

    if (!parse_own(w, path, found->alias))
        return;
    if (!is_same(path, asked)) {
        m = find_met(w, path);
        if (m != NULL && m->open)
            fail_by_loop(w, path);
        if (m != NULL)
            return;
        m = add_met(w, path);
    }
    walk_targets(w, path, found, depth);
    if (m != NULL)
        m->open = false;
}

static void walk_local(struct walk *w, const struct path *path, int depth)
{
    struct resident found;

    switch (policy_resident(w->directory, w->conf, path, w->arena, &found)) {
    case ANSWER_YES:
        if (found.local.alias.length > 0)
            walk_alias(w, path, &found.local, depth);
        else
            walk_mailbox(w, path, &found.local);
        break;
    case ANSWER_NO:
        add_target(w, path);
        break;
    case ANSWER_FAILED:
        fail_to_ask(w);
        break;
    }
}

/* Another host's, but for our own postmaster. */
static void walk_elsewhere(struct walk *w, const struct path *path, bool is_outside, int depth)
{
    struct str postmaster = policy_is_host_role(w->conf, path) ? policy_postmaster(w->conf, path) : (struct str){0};

    if (postmaster.length > 0)
        walk_text(w, postmaster, depth + 1);
    else
        add_target(w, path)->is_outside = is_outside;
}

static void walk_new(struct walk *w, const struct path *path, int depth)
{
    struct rcpthost host;

    switch (w->directory->rcpthost(w->directory->self, path->host, &host)) {
    case ANSWER_YES:
        if (host.is_local)
            walk_local(w, path, depth);
        else
            walk_elsewhere(w, path, false, depth);
        break;
    case ANSWER_NO:
        walk_elsewhere(w, path, true, depth);
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
        fail_by_loop(w, path);
        return;
    }
    if (m != NULL)
        return;
    m = add_met(w, path);
    walk_new(w, path, depth);
    m->open = false;
}

void policy_expand(struct expansion *x, const struct directory *d, const struct conf *conf, const struct path *path, struct arena *arena)
{
    struct walk w = {.expansion = x, .last = &x->targets, .directory = d, .conf = conf, .arena = arena};

    *x = (struct expansion){.status = status_make(250, "", "ok")};
    walk_address(&w, path, 0);
}

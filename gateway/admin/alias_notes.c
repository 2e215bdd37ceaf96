#include "admin/alias_notes.h"

#include "directory/names.h"
#include "directory/rcpthosts.h"
#include "directory/recipients.h"
#include "policy/lists.h"
#include "policy/residents.h"

#include <stdio.h>

enum { NAMED_MAX = 5 };

static enum answer ask_local(void *self, struct str local, struct str domain, char delimiter, struct arena *arena, struct local *found)
{
    return recipients_find(self, local, domain, delimiter, arena, found);
}

/* ADDRESS is of a local domain, and nobody has it. */
static bool is_nobody(const struct invocation *i, struct tables *t, struct str address, struct arena *arena)
{
    const struct directory d = {.self = t, .local = ask_local};
    struct resident found;
    struct rcpthost host;
    struct path path;

    return path_parse_address(&path, address, arena) == PATH_OK && !policy_is_host_role(i->conf, &path) &&
           rcpthosts_find(t, path.host, &host) == ANSWER_YES && host.is_local &&
           policy_resident(&d, i->conf, &path, arena, &found) == ANSWER_NO;
}

static void note_missing(const struct invocation *i, struct tables *t, struct str list, struct arena *arena)
{
    struct buf text = {0};
    struct str item;
    int missing = 0;

    while (str_cut_any(&list, "; ", &item))
        if (item.length > 0 && is_nobody(i, t, item, arena) && ++missing <= NAMED_MAX)
            buf_print(&text, "%s%.*s", missing > 1 ? ", " : "", STR_ARG(item));
    if (missing > NAMED_MAX)
        buf_print(&text, " and %d more", missing - NAMED_MAX);
    if (missing > 0)
        fprintf(stderr, "tmail %s %s: note: there is no mailbox or alias %s: unless Dovecot knows it, mail for it will fail\n",
                i->group->noun, i->command->verb, buf_text(&text));
    buf_done(&text);
}

static void note_bounces(const struct invocation *i, struct tables *t, struct str list, struct arena *arena)
{
    struct str sender = policy_list_sender(list, arena);

    if (is_nobody(i, t, sender, arena))
        fprintf(stderr,
                "tmail %s %s: note: nobody gets what comes back to %.*s: there is no such mailbox or alias, no postmaster@%.*s, no"
                " catch-all and no TMAIL_POSTMASTER\n",
                i->group->noun, i->command->verb, STR_ARG(sender), STR_ARG(name_domain(sender)));
}

void alias_notes(const struct invocation *i, struct tables *t, const struct new_alias *a)
{
    char name[NAME_SIZE];
    struct arena arena;

    if (!name_address(a->alias, name))
        return;
    arena_init(&arena);
    note_missing(i, t, a->deliver_to, &arena);
    if (a->is_list)
        note_bounces(i, t, str_of(name), &arena);
    arena_done(&arena);
}

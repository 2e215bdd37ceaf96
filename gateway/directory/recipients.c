#include "directory/recipients.h"

#include "directory/aliases.h"
#include "directory/names.h"
#include "directory/users.h"

static enum answer find_address(struct tables *t, struct str local, struct str domain)
{
    struct arena arena;
    struct str address;
    enum answer answer;

    arena_init(&arena);
    address = name_join(local, domain, &arena);
    answer = users_has_mailbox(t, address);
    if (answer == ANSWER_NO)
        answer = aliases_has_address(t, address);
    arena_done(&arena);
    return answer;
}

static enum answer find_at_target(struct tables *t, struct str local, struct str domain)
{
    char target[DOMAIN_SIZE];
    enum answer answer = aliases_target(t, domain, target);

    if (answer != ANSWER_YES)
        return answer;
    answer = find_address(t, local, str_of(target));
    return answer == ANSWER_NO ? users_has_catchall(t, str_of(target)) : answer;
}

enum answer recipients_find(struct tables *t, struct str local, struct str domain)
{
    enum answer answer = find_address(t, local, domain);

    if (answer == ANSWER_NO)
        answer = find_at_target(t, local, domain);
    if (answer == ANSWER_NO)
        answer = users_has_catchall(t, domain);
    return answer;
}

/* NO to a mailbox, and *TAKEN: nobody else is asked. */
static enum answer alias_of(struct tables *t, struct str local, struct str domain, struct arena *arena, struct alias *alias, bool *taken)
{
    struct str address = name_join(local, domain, arena);
    enum answer answer = users_has_mailbox(t, address);

    *taken = answer == ANSWER_YES;
    if (answer == ANSWER_NO)
        return aliases_find(t, address, arena, alias);
    return *taken ? ANSWER_NO : answer;
}

enum answer recipients_alias(struct tables *t, struct str local, struct str domain, struct arena *arena, struct alias *alias)
{
    char target[DOMAIN_SIZE];
    bool taken;
    enum answer answer = alias_of(t, local, domain, arena, alias, &taken);

    if (answer != ANSWER_NO || taken)
        return answer;
    answer = aliases_target(t, domain, target);
    return answer == ANSWER_YES ? alias_of(t, local, str_of(target), arena, alias, &taken) : answer;
}

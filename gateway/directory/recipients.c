#include "directory/recipients.h"

#include "directory/aliases.h"
#include "directory/names.h"
#include "directory/users.h"
#include "smtp/path.h"

struct search {
    struct tables *t;
    char delimiter;
    struct arena *arena;
    struct local *found;
};

static enum answer find_address(const struct search *s, struct str local, struct str domain)
{
    struct str address = path_format(arena_lower(s->arena, local), domain, s->arena);
    enum answer answer = users_has_mailbox(s->t, address);

    if (answer == ANSWER_NO)
        return aliases_find(s->t, address, s->arena, s->found);
    if (answer == ANSWER_YES)
        s->found->mailbox = address;
    return answer;
}

static enum answer find_name(const struct search *s, struct str local, struct str domain)
{
    enum answer answer = find_address(s, local, domain);
    size_t end = str_find(local, s->delimiter, 1); /* a name is not empty */

    if (answer != ANSWER_NO || s->delimiter == '\0' || end >= local.length)
        return answer;
    answer = find_address(s, str_part(local, 0, end), domain);
    if (answer == ANSWER_YES)
        s->found->detail = arena_str(s->arena, str_from(local, end + 1));
    return answer;
}

static enum answer find_catchall(const struct search *s, struct str domain)
{
    enum answer answer = users_find_catchall(s->t, domain, s->arena, &s->found->mailbox);

    s->found->is_catchall = answer == ANSWER_YES;
    return answer;
}

static enum answer find_at_target(const struct search *s, struct str local, struct str domain)
{
    char target[DOMAIN_SIZE];
    enum answer answer = aliases_target(s->t, domain, target);

    if (answer != ANSWER_YES)
        return answer;
    answer = find_name(s, local, str_of(target));
    return answer == ANSWER_NO ? find_catchall(s, str_of(target)) : answer;
}

enum answer recipients_find(struct tables *t, struct str local, struct str domain, char delimiter, struct arena *arena, struct local *found)
{
    const struct search s = {.t = t, .delimiter = delimiter, .arena = arena, .found = found};
    enum answer answer;

    *found = (struct local){0};
    answer = find_name(&s, local, domain);
    if (answer == ANSWER_NO)
        answer = find_at_target(&s, local, domain);
    if (answer == ANSWER_NO)
        answer = find_catchall(&s, domain);
    return answer;
}

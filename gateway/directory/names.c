#include "directory/names.h"

#include "base/buf.h"
#include "smtp/path.h"

static size_t last_at(struct str address)
{
    size_t at = address.length;

    while (at > 0 && address.data[at - 1] != '@')
        at--;
    return at;
}

struct str name_domain(struct str address)
{
    size_t behind = last_at(address);

    return behind > 0 ? str_from(address, behind) : (struct str){0};
}

struct str name_local(struct str address)
{
    size_t behind = last_at(address);

    return behind > 0 ? str_part(address, 0, behind - 1) : (struct str){0};
}

struct str name_join(struct str local, struct str domain, struct arena *arena)
{
    struct buf b = {0};
    struct str joined;

    buf_add(&b, local);
    buf_add_byte(&b, '@');
    buf_add(&b, domain);
    joined = arena_lower(arena, buf_str(&b));
    buf_done(&b);
    return joined;
}

bool name_address(struct str text, char *to)
{
    struct arena arena;
    struct path p;
    bool ok;

    arena_init(&arena);
    to[0] = '\0';
    ok = path_parse_address(&p, text, &arena) == PATH_OK &&
         str_copy(path_format(arena_lower(&arena, p.local), p.host, &arena), to, NAME_SIZE);
    arena_done(&arena);
    return ok;
}

static bool is_word(struct str text)
{
    return text.length > 0 && str_is_utf8(text) && !str_has_control(text) && !str_has(text, ' ') && !str_has(text, '@');
}

bool name_login(struct str text, char *to)
{
    to[0] = '\0';
    if (str_has(text, '@'))
        return name_address(text, to);
    if (!is_word(text) || !str_copy(text, to, NAME_SIZE))
        return false;
    for (char *c = to; *c != '\0'; c++)
        *c = ascii_lower(*c);
    return true;
}

struct str name_stored_login(struct str login, char *to)
{
    return name_login(login, to) ? str_of(to) : login;
}

bool name_address_or_domain(struct str text, char *to)
{
    return str_has(text, '@') ? name_address(text, to) : domain_normalize(text, to);
}

bool name_user(struct str text, char *to)
{
    return name_address_or_domain(text, to) || name_login(text, to);
}

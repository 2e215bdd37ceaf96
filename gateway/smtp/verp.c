#include "smtp/verp.h"

#include "base/buf.h"
#include "smtp/path.h"

bool verp_delimiters_are_valid(struct str delimiters)
{
    const struct str known = STR("-+=_~#");

    return delimiters.length == 2 && delimiters.data[0] != delimiters.data[1] && str_has(known, delimiters.data[0]) &&
           str_has(known, delimiters.data[1]);
}

static struct str join_local(const struct path *sender, const struct path *recipient, struct str delimiters, struct arena *arena)
{
    struct buf local = {0};
    struct str copy;

    buf_add(&local, sender->local);
    buf_add_byte(&local, delimiters.data[0]);
    buf_add(&local, recipient->local);
    buf_add_byte(&local, delimiters.data[1]);
    buf_add(&local, str_is_ascii(recipient->domain) ? recipient->domain : recipient->host);
    copy = arena_str(arena, buf_str(&local));
    buf_done(&local);
    return copy;
}

bool verp_rewrite(struct str sender, struct str recipient, struct str delimiters, struct arena *arena, struct str *rewritten)
{
    struct path from, to;

    if (path_parse_address(&from, sender, arena) != PATH_OK || path_parse_address(&to, recipient, arena) != PATH_OK)
        return false;
    *rewritten = path_format(join_local(&from, &to, delimiters, arena), from.domain, arena);
    return rewritten->length - from.domain.length - 1 <= PATH_LOCAL_MAX && rewritten->length <= PATH_MAX_OCTETS - 2;
}

#include "policy/lists.h"

#include "base/buf.h"
#include "smtp/path.h"

static const struct str tail = {"-bounces", 8};

struct str policy_list_sender(struct str list, struct arena *arena)
{
    struct buf local = {0};
    struct path path;
    struct str sender = {0};

    if (path_parse_address(&path, list, arena) != PATH_OK)
        return sender;
    buf_add(&local, path.local);
    buf_add(&local, tail);
    sender = path_format(buf_str(&local), path.domain, arena);
    buf_done(&local);
    return sender;
}

bool policy_list_of(struct str local, struct str *list)
{
    if (local.length <= tail.length || !str_equal_nocase(str_from(local, local.length - tail.length), tail))
        return false;
    *list = str_part(local, 0, local.length - tail.length);
    return true;
}

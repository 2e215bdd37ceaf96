#include "conf/local_ips.h"

#include "conf/value.h"

#include <stdio.h>

static bool refuse(struct str text, const char *problem, char *error, size_t error_size)
{
    struct buf quoted = {0};

    value_quote(&quoted, text);
    snprintf(error, error_size, "%s %s", buf_text(&quoted), problem);
    buf_done(&quoted);
    return false;
}

static size_t count_items(struct str text, char separator)
{
    struct str item;
    size_t count = 0;

    while (str_cut(&text, separator, &item))
        count++;
    return count;
}

bool local_ips_parse(struct local_ips *l, struct str text, struct arena *arena, char *error, size_t error_size)
{
    struct str rest = text.data != NULL ? text : STR(""), item;
    char separator;

    *l = (struct local_ips){.in_turn = str_has(text, '|')};
    if (l->in_turn && str_has(text, '&'))
        return refuse(text, "mixes & and | (expected IP&IP to fail over in order, or IP|IP to take turns)", error, error_size);
    separator = l->in_turn ? '|' : '&';
    l->items = arena_new(arena, count_items(rest, separator) * sizeof *l->items);
    while (str_cut(&rest, separator, &item)) {
        item = str_trim(item);
        if (!address_parse(&l->items[l->count++], item))
            return refuse(item, "is no IP address (expected IP, IP&IP to fail over in order, or IP|IP to take turns)", error, error_size);
    }
    return true;
}

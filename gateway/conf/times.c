#include "conf/times.h"

#include "conf/value.h"

enum { SECOND_MS = 1000, LONGEST_DAYS = 30 };

static bool refuse(struct buf *errors, struct str item, const char *problem)
{
    value_quote(errors, item);
    buf_print(errors, " %s\n", problem);
    return false;
}

static bool read_item(struct str item, int64_t *ms)
{
    return value_read_time(item, SECOND_MS, ms) && *ms > 0 && *ms <= (int64_t)LONGEST_DAYS * 86400 * SECOND_MS;
}

bool times_parse(struct times *t, struct str text, struct buf *errors)
{
    bool ok = true;
    struct str item;

    *t = (struct times){0};
    text = str_trim(text);
    if (text.length == 0)
        return true;
    while (str_cut_any(&text, ",;", &item)) {
        item = str_trim(item);
        if (t->count == TIMES_MAX)
            return refuse(errors, item, "is one time too many (expected at most 32)");
        if (read_item(item, &t->ms[t->count]))
            t->count++;
        else
            ok = refuse(errors, item, "is no time of at most 30 days (expected a list such as 30s;5m;1h)");
    }
    return ok;
}

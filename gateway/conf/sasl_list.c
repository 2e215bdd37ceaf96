#include "conf/sasl_list.h"

#include "conf/value.h"

#include <string.h>

/* RFC 4422 section 3.1: 1 to 20 letters, digits, hyphens and underscores. */
static bool read_name(struct str item, char *to)
{
    if (item.length == 0 || item.length >= SASL_LIST_NAME)
        return false;
    for (size_t i = 0; i < item.length; i++) {
        char c = ascii_lower(item.data[i]);
        bool letter = c >= 'a' && c <= 'z';

        if (!letter && !(c >= '0' && c <= '9') && c != '-' && c != '_')
            return false;
        to[i] = letter ? (char)(c - 'a' + 'A') : c;
    }
    to[item.length] = '\0';
    return true;
}

static bool refuse(struct buf *errors, struct str item, const char *problem)
{
    value_quote(errors, item);
    buf_print(errors, " %s\n", problem);
    return false;
}

bool sasl_list_has(const struct sasl_list *l, const char *name)
{
    for (size_t i = 0; i < l->count; i++)
        if (strcmp(l->names[i], name) == 0)
            return true;
    return false;
}

bool sasl_list_parse(struct sasl_list *l, struct str text, struct buf *errors)
{
    bool ok = true;
    struct str item;

    *l = (struct sasl_list){0};
    if (str_equal_nocase(str_trim(text), STR("none")))
        return true;
    while (str_cut_any(&text, ",;", &item)) {
        item = str_trim(item);
        if (l->count == SASL_LIST_MAX)
            return refuse(errors, item, "is one mechanism too many (expected at most 32)");
        if (read_name(item, l->names[l->count]))
            l->count += !sasl_list_has(l, l->names[l->count]); /* once is enough */
        else
            ok = refuse(errors, item, "is no name of a SASL mechanism (expected names such as SCRAM-SHA-256, separated by , or ;, or none)");
    }
    return ok;
}

#include "deliverd/list.h"

#include "message/handover.h"

static bool fits_id(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '-' || c == '_';
}

/* RFC 2919 section 2: names joined with dots. */
static void write_id(struct str list, struct buf *to)
{
    for (size_t i = 0; i < list.length; i++)
        buf_add_byte(to, list.data[i] == '@' ? '.' : fits_id(list.data[i]) ? list.data[i] : '-');
}

void list_fields(struct str list, struct buf *to)
{
    if (list.length == 0)
        return;
    buf_print(to, "Delivered-To: %.*s\r\nList-Id: <", STR_ARG(list));
    write_id(list, to);
    buf_add_text(to, ">\r\n");
}

bool list_had_it(struct str list, const struct claimed *claimed, struct body *body)
{
    const struct handover h = {.content = claimed->content, .body = claimed->has_content ? NULL : body};

    return handover_has_field(&h, "delivered-to", list);
}

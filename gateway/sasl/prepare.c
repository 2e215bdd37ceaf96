#include "sasl/prepare.h"

#include "base/memory.h"

#include <stringprep.h>
#include <string.h>

/* U+FDFA, three bytes, becomes eighteen characters of 33 bytes: nothing grows more. */
enum { GROWTH = 12 };

static bool prepare_wide(struct str text, struct buf *to)
{
    size_t size = text.length * GROWTH + 1;
    char *work = memory_new(size);
    bool ok;

    memcpy(work, text.data, text.length);
    ok = stringprep(work, size, 0, stringprep_saslprep) == STRINGPREP_OK && work[0] != '\0';
    if (ok)
        buf_add(to, str_of(work));
    explicit_bzero(work, size);
    memory_free(&work);
    return ok && !to->full;
}

bool sasl_prepare(struct str text, struct buf *to)
{
    if (text.length == 0 || str_has_control(text))
        return false;
    if (!str_is_ascii(text))
        return str_is_utf8(text) && prepare_wide(text, to);
    buf_add(to, text);
    return !to->full;
}

/* The lists of the configuration: listeners, and source addresses.  First octet: which. */
#include "fuzz.h"

#include "conf/listeners.h"
#include "conf/local_ips.h"

static void try_listeners(struct str text, struct arena *arena)
{
    struct buf errors = {0};
    struct listeners l;
    struct str lines, line;

    if (listeners_parse(&l, text, arena, &errors)) {
        fuzz_check(l.count > 0 && errors.length == 0);
        for (size_t i = 0; i < l.count; i++)
            fuzz_check(l.items[i].address.port > 0 && l.items[i].address.family != AF_UNSPEC);
    } else {
        fuzz_check(str_ends(buf_str(&errors), STR("\n")));
    }
    lines = buf_str(&errors);
    while (str_cut(&lines, '\n', &line))
        fuzz_check(!str_has_control(line));
    buf_done(&errors);
}

static void try_local_ips(struct str text, struct arena *arena)
{
    char error[LOCAL_IPS_ERROR_SIZE] = "";
    struct local_ips l;

    if (local_ips_parse(&l, text, arena, error, sizeof error)) {
        fuzz_check(l.count > 0);
        for (size_t i = 0; i < l.count; i++)
            fuzz_check(l.items[i].family != AF_UNSPEC && l.items[i].port == 0);
    } else {
        fuzz_check(error[0] != '\0' && !str_has_control(str_of(error)));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena = {0};

    if (size < 1)
        return 0;
    if ((data[0] & 1) == 0)
        try_listeners(fuzz_input(data + 1, size - 1), &arena);
    else
        try_local_ips(fuzz_input(data + 1, size - 1), &arena);
    arena_done(&arena);
    return 0;
}

/* Reverse-paths and forward-paths. */
#include "fuzz.h"

#include "smtp/path.h"

static void check_path(const struct path *p, size_t local_max, struct arena *arena)
{
    struct path again;
    char host[DOMAIN_SIZE];

    fuzz_check(!str_has_control(p->address) && !str_has_control(p->local) && !str_has_control(p->domain) && !str_has_control(p->host));
    fuzz_check(p->address.length <= PATH_MAX_OCTETS - 2);
    fuzz_check(p->utf8 == !str_is_ascii(p->address));
    fuzz_check(str_is_utf8(p->address));
    fuzz_check(str_is_ascii(p->host));
    fuzz_check(local_max == 0 || p->local.length <= local_max);
    if (p->domain.length == 0)
        return;
    fuzz_check(domain_normalize(p->domain, host) && str_equal(str_of(host), p->host));
    fuzz_check(str_equal(path_format(p->local, p->domain, arena), p->address));
    /* What is sent on means to the next server what it meant to us. */
    fuzz_check(path_parse_address(&again, p->address, arena) == PATH_OK);
    fuzz_check(str_equal(again.local, p->local) && str_equal(again.host, p->host) && str_equal(again.address, p->address));
}

static void check_bracketed(const struct path *p, struct arena *arena)
{
    struct buf text = {0};
    struct path again;
    struct str rest;

    buf_add_byte(&text, '<');
    buf_add(&text, p->address);
    buf_add_text(&text, "> SIZE=1");
    rest = buf_str(&text);
    fuzz_check(path_parse(&again, &rest, 0, arena) == PATH_OK);
    fuzz_check(str_equal(rest, STR(" SIZE=1")));
    fuzz_check(str_equal(again.address, p->address) && str_equal(again.local, p->local));
    buf_done(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena = {0};
    struct str input = fuzz_input(data, size);

    for (size_t local_max = 0; local_max <= PATH_LOCAL_MAX; local_max += PATH_LOCAL_MAX) {
        struct str rest = input;
        struct path p;

        if (path_parse(&p, &rest, local_max, &arena) != PATH_OK)
            continue;
        fuzz_check(rest.length <= input.length && str_ends(input, rest));
        check_path(&p, local_max, &arena);
        check_bracketed(&p, &arena);
        fuzz_check(path_is_null(&p) == (p.address.length == 0));
    }
    struct path p;
    if (path_parse_address(&p, input, &arena) == PATH_OK) {
        fuzz_check(p.domain.length > 0);
        check_path(&p, 0, &arena);
    }
    arena_done(&arena);
    return 0;
}
